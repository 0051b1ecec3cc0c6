// Outcomes by groups of units, added up without any rounding until they are read. One that is taken back, here or in a later minute,
// leaves nothing behind, and takes nothing of the others with it: beside a square of 1e36 a double has no room for theirs.

import { addExactly, createTotal, type ExactTotal, roundTotal } from '../../core/index.ts';
import { type GroupedOutcomes, type GroupRest, UNIT_GROUPS } from './unit-groups.ts';

/** Each `UNIT_GROUPS` long. `sum` and `squares` are the doubles nearest to the sums once they are settled. */
export interface GroupTotals {
  readonly n: Float64Array;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
  /** What they lack: by group, and mostly of few. */
  readonly rests: { readonly sum: Map<number, ExactTotal>; readonly squares: Map<number, ExactTotal> };
}

export function createGroupTotals(): GroupTotals {
  return {
    n: new Float64Array(UNIT_GROUPS),
    sum: new Float64Array(UNIT_GROUPS),
    squares: new Float64Array(UNIT_GROUPS),
    rests: { sum: new Map(), squares: new Map() },
  };
}

/** `value`: finite, and so is its square. `times` is −1 for one that counts no more. Settle the totals before they are read. */
export function addToGroup(
  { n, sum, squares, rests }: GroupTotals,
  unitHash: number,
  value: number,
  times: 1 | -1,
): void {
  const group = unitHash % UNIT_GROUPS;
  n[group] = (n[group] as number) + times;
  add(sum, rests.sum, group, times * value);
  // Rounded, and the same when it is taken back.
  add(squares, rests.squares, group, times * (value * value));
}

/** Adds what was packed, and settles. */
export function addGrouped(totals: GroupTotals, grouped: GroupedOutcomes): void {
  const { n, sum, squares, rests } = totals;
  for (let group = 0; group < UNIT_GROUPS; group++) {
    n[group] = (n[group] as number) + (grouped.n[group] ?? 0);
    add(sum, rests.sum, group, grouped.sum[group] ?? 0);
    add(squares, rests.squares, group, grouped.squares[group] ?? 0);
  }
  for (const [group, ofSum, ofSquares] of grouped.rests ?? []) {
    for (const rest of ofSum) add(sum, rests.sum, group, rest);
    for (const rest of ofSquares) add(squares, rests.squares, group, rest);
  }
  settle(totals);
}

/** Settles, and gives them as plain data. */
export function packGroups(totals: GroupTotals): GroupedOutcomes {
  settle(totals);
  const { n, sum, squares, rests } = totals;
  const groups = [...new Set([...rests.sum.keys(), ...rests.squares.keys()])].sort((a, b) => a - b);
  const lacking = groups.map(
    (group): GroupRest => [
      group,
      [...(rests.sum.get(group)?.parts ?? [])],
      [...(rests.squares.get(group)?.parts ?? [])],
    ],
  );
  const nearest = { n: [...n], sum: [...sum], squares: [...squares] };
  return lacking.length === 0 ? nearest : { ...nearest, rests: lacking };
}

export function copyGroups({ n, sum, squares, rests }: GroupTotals): GroupTotals {
  return {
    n: n.slice(),
    sum: sum.slice(),
    squares: squares.slice(),
    rests: { sum: copyRests(rests.sum), squares: copyRests(rests.squares) },
  };
}

function copyRests(rests: ReadonlyMap<number, ExactTotal>): Map<number, ExactTotal> {
  return new Map(Array.from(rests, ([group, { carry, parts }]) => [group, { carry, parts: [...parts] }]));
}

/** The error of an addition, found without a branch: TwoSum (Knuth, The Art of Computer Programming, volume 2, 4.2.2). */
function add(sums: Float64Array, rests: Map<number, ExactTotal>, group: number, value: number): void {
  const before = sums[group] as number;
  const next = before + value;
  const part = next - before;
  sums[group] = next;
  const error = before - (next - part) + (value - part);
  if (error === 0) return;
  const rest = rests.get(group) ?? createTotal();
  rests.set(group, rest);
  addExactly(rest, error);
}

function settle({ sum, squares, rests }: GroupTotals): void {
  settleOne(sum, rests.sum);
  settleOne(squares, rests.squares);
}

function settleOne(sums: Float64Array, rests: Map<number, ExactTotal>): void {
  for (const [group, rest] of rests) {
    addExactly(rest, sums[group] as number);
    const nearest = roundTotal(rest);
    addExactly(rest, -nearest);
    sums[group] = nearest;
    if (rest.parts.length === 0) rests.delete(group);
  }
}
