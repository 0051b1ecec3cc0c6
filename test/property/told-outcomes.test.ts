// Outcomes that are told again and corrected, in any order and over any minutes, add up to the last one of each prediction.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rationalSum } from '../support/rational.ts';
import { createPredictionIds, predictionMark } from '../../src/core/index.ts';
import { createMinuteCollector } from '../../src/monitoring/minutes/collect-minutes.ts';
import type { PackedMinute } from '../../src/monitoring/minutes/minute-cell.ts';
import { fromColumns, toColumns } from '../../src/monitoring/minutes/row-columns.ts';
import { createToldOutcomes } from '../../src/monitoring/minutes/told-outcomes.ts';
import { addGrouped, createGroupTotals, type GroupTotals, unpackHashes } from '../../src/statistics/index.ts';
import { runs } from '../support/tier.ts';

const START = 1_800_000_000_000_000;
const UNITS = [7, 71, 8, 4_000_000_007];
const VERSIONS = [1, 2];
const nextId = createPredictionIds();
/** Two of each unit at each version: 71 is of one group with 7. */
const PREDICTIONS = [...UNITS, ...UNITS].flatMap((unit) =>
  VERSIONS.map((version) => ({ unit, version, id: nextId(predictionMark(3, version), unit) })),
);

const predictionOf = (at: number) => PREDICTIONS[at] as (typeof PREDICTIONS)[number];

interface Told {
  readonly of: number;
  /** Undefined: text, or null. */
  readonly value: number | undefined;
  readonly passed: number;
  readonly isTaken: boolean;
}

function histories(value: fc.Arbitrary<number | undefined>): fc.Arbitrary<Told[]> {
  const when = { passed: fc.constantFrom(0, 0, 1, 30, 61, 400), isTaken: fc.boolean() };
  return fc.array(fc.record({ of: fc.nat(PREDICTIONS.length - 1), value, ...when }), { maxLength: 60 });
}
const told = histories(fc.constantFrom(0, 0, 1, 1, 2.5, -3, undefined));

/** From 1e-6 to 1e18, whole and not, of either sign. */
const anySize = fc
  .tuple(fc.constantFrom(1, -1), fc.double({ min: 1, max: 10, noNaN: true }), fc.integer({ min: -6, max: 17 }))
  .map(([sign, digits, size]) => sign * digits * 10 ** size);
const ofAnySize = histories(fc.oneof(anySize, fc.constantFrom(0, 1, 0.1, 1e18, 1e9, undefined)));

/** By version: how many, their sum and their squares by group; and the units that ever had one that is not 0. */
type Sums = Readonly<Record<string, readonly number[]>>;

/** Keeps the last one of each prediction, and looks at them all. */
function naive(given: readonly Told[]): { sums: Sums; events: readonly string[] } {
  const last = new Map<number, number | undefined>();
  const events = new Set<string>();
  for (const { of, value } of given) {
    last.set(of, value);
    const { version, unit } = predictionOf(of);
    if (value !== undefined && value !== 0) events.add(`${version} ${unit}`);
  }
  const values: Record<string, number[]> = {};
  for (const [of, value] of last) {
    if (value === undefined) continue;
    const { version, unit } = predictionOf(of);
    (values[`${version} ${unit % 64}`] ??= []).push(value);
  }
  const sums = Object.entries(values).map(([key, own]): [string, readonly number[]] => [
    key,
    [own.length, rationalSum(own), rationalSum(own.map((value) => value * value))],
  ]);
  return { sums: Object.fromEntries(sums), events: [...events].sort() };
}

/** As a rollout has them: rows of the table, added up. */
function added(rows: readonly PackedMinute[]): Sums {
  const arms = new Map<number, GroupTotals>();
  for (const [sequence, row] of wholeOf(rows).entries()) {
    const { version, outcomes } = fromColumns(toColumns({ ...row, writer: 'server', sequence, reportedMicros: START }));
    const sums = arms.get(version) ?? createGroupTotals();
    arms.set(version, sums);
    if (outcomes !== null) addGrouped(sums, outcomes);
  }
  const groups = [...arms].flatMap(([version, { n, sum, squares }]) =>
    [...n].map((count, group): [string, readonly number[]] => [
      `${version} ${group}`,
      [count, sum[group] ?? NaN, squares[group] ?? NaN],
    ]),
  );
  return Object.fromEntries(groups.filter(([, own]) => own.some((one) => one !== 0)));
}

/** Of a minute that was taken twice the later row is the whole of it. */
function wholeOf(rows: readonly PackedMinute[]): PackedMinute[] {
  return [...new Map(rows.map((row) => [`${row.minute} ${row.version} ${row.turn}`, row])).values()];
}

function eventsOf(rows: readonly PackedMinute[]): string[] {
  const events = wholeOf(rows).flatMap(({ version, outcomes }) =>
    outcomes === null ? [] : [...unpackHashes(outcomes.eventUnits).hashes()].map((unit) => `${version} ${unit}`),
  );
  return [...new Set(events)].sort();
}

function addUp(given: readonly Told[]): { sums: Sums; events: readonly string[] } {
  let now = START;
  const collector = createMinuteCollector(() => now);
  const rows: PackedMinute[] = [];
  for (const { of, value, passed, isTaken } of given) {
    now += passed * 1_000_000;
    collector.outcome('eta', predictionOf(of).id, value);
    if (isTaken) rows.push(...collector.take('all'));
  }
  rows.push(...collector.take('all'));
  return { sums: added(rows), events: eventsOf(rows) };
}

it.each([
  ['count once each, by the last of them, and a unit that had an event keeps it', told],
  [
    'leave nothing of what was corrected, and lose nothing of the others, however far apart they are in size',
    ofAnySize,
  ],
])('%s', (_what, histories) => {
  fc.assert(
    fc.property(histories, (given) => {
      expect(addUp(given)).toEqual(naive(given));
    }),
    { numRuns: runs(300) },
  );
});

it.each([
  ['in the same minute', 0],
  ['in a later one', 400],
])('of 1e18 that was meant to be 1 leaves the others as they are: corrected %s', (_, passed) => {
  const told = (of: number, value: number, passed = 0): Told => ({ of, value, passed, isTaken: true });
  // All of one version, their units of one group; 8 is the mistaken one.
  const { sums } = addUp([told(0, 0.9), told(2, 1.1), told(8, 1e18), told(10, 0.7), told(8, 1, passed)]);
  const [n, sum = NaN, squares = NaN] = sums['1 7'] ?? [];
  expect(n).toBe(4);
  expect(Math.abs(sum / 3.7 - 1)).toBeLessThan(1e-9);
  expect(Math.abs(squares / (0.81 + 1.21 + 1 + 0.49) - 1)).toBeLessThan(1e-9);
});

it('write nothing where they are told again', () => {
  const collector = createMinuteCollector(() => START);
  const { id } = predictionOf(0);
  collector.outcome('eta', id, 1);
  expect(collector.take('all')).toHaveLength(1);
  collector.outcome('eta', id, 1);
  expect(collector.take('all')).toEqual([]);
  // The same id at another endpoint is another prediction.
  collector.outcome('other', id, 1);
  expect(collector.take('all')).toHaveLength(1);
});

it('of a unit are of no arm: they are counted, and add nothing', () => {
  const collector = createMinuteCollector(() => START);
  collector.outcomeOfUnit('eta');
  collector.outcomeOfUnit('eta');
  const [row, ...others] = collector.take('all');
  expect(others).toEqual([]);
  expect(row).toMatchObject({ version: 0, revision: 0 });
  expect([row?.outcomes?.n[0], row?.outcomes?.sum[0]]).toEqual([2, 0]);
});

it('are remembered within bounds: one of long ago counts as new', () => {
  const collector = createMinuteCollector(() => START, createToldOutcomes(4));
  const ids = Array.from({ length: 8 }, () => nextId(predictionMark(3, 1), 7));
  for (const id of ids) collector.outcome('eta', id, 1);
  const countOf = (): number => collector.take('all').at(-1)?.outcomes?.n[7] ?? 0;
  expect(countOf()).toBe(8);
  collector.outcome('eta', ids.at(-1) ?? '', 1);
  expect(countOf()).toBe(0);
  collector.outcome('eta', ids[0] ?? '', 1);
  expect(countOf()).toBe(9);
});

it('that are too great for sums of squares count as no number, and what corrects one counts', () => {
  let now = START;
  const collector = createMinuteCollector(() => now);
  const { id } = predictionOf(0);
  collector.outcome('checkout', id, 1e200);
  collector.outcome('checkout', id, 3);
  now += 60_000_000;
  collector.outcome('checkout', id, -1e200);
  collector.outcome('checkout', id, 2);
  expect(added(collector.take('all'))).toEqual({ '1 7': [1, 2, 4] });
});

it('of more revisions than are kept count nothing, and a correction of one takes nothing away', () => {
  let now = START;
  const collector = createMinuteCollector(() => now);
  const ids = Array.from({ length: 101 }, (_, revision) => nextId(predictionMark(revision + 1, 1), 7));
  for (const id of ids) collector.outcome('checkout', id, 1);
  expect(collector.take('all')).toHaveLength(100);
  // The others rest by then.
  now += 10 * 60_000_000;
  collector.outcome('checkout', ids.at(-1) ?? '', 0);
  const [corrected] = collector.take('all').filter(({ revision }) => revision === 101);
  expect(corrected?.outcomes?.n[7]).toBe(1);
  expect(corrected?.outcomes?.sum[7]).toBe(0);
});
