// Sums of floats, exact until they are read: the error of each addition, found without a branch (TwoSum; Knuth, The Art
// of Computer Programming, volume 2, 4.2.2), is summed beside the sum, and what that loses in turn, which takes numbers
// of very different size, lies apart in a cell. So neither the order of events nor tiles and merges show in the result.

import { addExactly, addTotal, createTotal, type ExactTotal, meanOfTotal, roundTotal } from '../../core/index.ts';
import { type ByteReader, type ByteWriter, readCount, readDouble, writeCount, writeDouble } from '../byte-stream.ts';
import { columnOf } from '../input-value.ts';
import type { TileRun } from '../aggregator.ts';
import type { Op, PartSpec, Place, ReadRange } from '../part.ts';
import { setCell } from '../tile-run.ts';
import { nonNullPart } from './count.ts';

/** From here on a sum goes to the cell, which has room for any. */
const HUGE = 2 ** 1022;

/** Slots: the sum (infinite or NaN once it has met such a value), the sum of its errors. Cell: what both lack. */
export function floatSumPart(column: string): PartSpec {
  return {
    name: 'exactFloatSum',
    column,
    identity: [0, 0],
    build: ({ stride, slot, cellStride, cell, input }) => ({
      update(run, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        add(run, tile * stride + slot, tile * cellStride + cell, (from.numbers as Float64Array)[row] as number);
      },
      merge(into, intoTile, from, fromTile) {
        const at = intoTile * stride + slot;
        const cellAt = intoTile * cellStride + cell;
        const fromAt = fromTile * stride + slot;
        add(into, at, cellAt, from.slots[fromAt] as number);
        addError(into, at + 1, cellAt, from.slots[fromAt + 1] as number);
        const rest = restOf(from, fromTile * cellStride + cell);
        if (rest !== undefined) addTotal(ownRest(into, cellAt), rest);
      },
      cells: [{ write: (out, cell) => writeTotal(out, cell as ExactTotal), read: readTotal, isRare: true }],
    }),
    cells: 1,
  };
}

function add(run: TileRun, at: number, cellAt: number, value: number): void {
  const { slots } = run;
  const sum = slots[at] as number;
  const next = sum + value;
  if (!(Math.abs(next) < HUGE)) {
    if (Number.isFinite(sum) && Number.isFinite(value)) addExactly(ownRest(run, cellAt), value);
    else slots[at] = next;
    return;
  }
  const part = next - sum;
  slots[at] = next;
  addError(run, at + 1, cellAt, sum - (next - part) + (value - part));
}

function addError(run: TileRun, at: number, cellAt: number, value: number): void {
  const { slots } = run;
  const sum = slots[at] as number;
  const next = sum + value;
  const part = next - sum;
  slots[at] = next;
  const error = sum - (next - part) + (value - part);
  if (error !== 0) addExactly(ownRest(run, cellAt), error);
}

// A part's cells are totals, or undefined.
function restOf({ cells }: TileRun, at: number): ExactTotal | undefined {
  return at < cells.length ? (cells[at] as ExactTotal | undefined) : undefined;
}

function ownRest(run: TileRun, at: number): ExactTotal {
  const existing = restOf(run, at);
  if (existing !== undefined) return existing;
  const made = createTotal();
  setCell(run, at, made);
  return made;
}

/** What is made of the sum of `count` inputs, once it is known. */
interface Finish {
  /** Of a sum that two numbers hold, or that met an infinity or NaN. */
  ofSum(sum: number, count: number): number;
  ofTotal(total: ExactTotal, count: number): number;
}

const THE_SUM: Finish = { ofSum: (sum) => sum, ofTotal: roundTotal };
const THE_MEAN: Finish = { ofSum: (sum, count) => sum / count, ofTotal: meanOfTotal };

/** Over the non-null inputs of a range of tiles; null when there are none. */
function readCounted(counted: Place, summed: Place, finish: Finish): ReadRange<number | null> {
  const { stride, cellStride, cell } = summed;
  const [countSlot, sumSlot] = [counted.slot, summed.slot];
  return (run, from, to) => {
    const { slots, cells } = run;
    let count = 0;
    let sum = 0;
    let errors = 0;
    let rest: ExactTotal | undefined;
    for (let at = from * stride, end = to * stride; at < end; at += stride) {
      count += slots[at + countSlot] as number;
      const added = slots[at + sumSlot] as number;
      const next = sum + added;
      let error = 0;
      if (Math.abs(next) < HUGE) {
        const part = next - sum;
        error = sum - (next - part) + (added - part);
        sum = next;
      } else if (Number.isFinite(sum) && Number.isFinite(added)) {
        addExactly((rest ??= createTotal()), added);
      } else {
        sum = next;
      }
      // The tile's own error and the one just made, each added with what is lost of it.
      const one = errors + error;
      const onePart = one - errors;
      const oneLost = errors - (one - onePart) + (error - onePart);
      const own = slots[at + sumSlot + 1] as number;
      errors = one + own;
      const part = errors - one;
      const lost = one - (errors - part) + (own - part);
      if (oneLost !== 0) addExactly((rest ??= createTotal()), oneLost);
      if (lost !== 0) addExactly((rest ??= createTotal()), lost);
    }
    if (count === 0) return null;
    if (!Number.isFinite(sum)) return finish.ofSum(sum, count);
    if (cells.length > 0) {
      for (let tile = from; tile < to; tile++) {
        const own = restOf(run, tile * cellStride + cell);
        if (own !== undefined) addTotal((rest ??= createTotal()), own);
      }
    }
    if (rest === undefined) return finish.ofSum(sum + errors, count);
    addExactly(rest, sum);
    addExactly(rest, errors);
    return finish.ofTotal(rest, count);
  };
}

/** The mean over a range of tiles; `counted` and `summed` lie in the same tiles. */
export function readFloatMean(counted: Place, summed: Place): ReadRange<number | null> {
  return readCounted(counted, summed, THE_MEAN);
}

export function floatSumOp(column: string): Op {
  return {
    parts: [nonNullPart(column), floatSumPart(column)],
    compile([counted, summed]) {
      const readNumber = readCounted(counted as Place, summed as Place, THE_SUM);
      return { readNumber, read: readNumber };
    },
  };
}

function writeTotal(out: ByteWriter, { carry, parts }: ExactTotal): void {
  writeCount(out, carry < 0 ? -2 * carry - 1 : 2 * carry);
  writeCount(out, parts.length);
  for (const part of parts) writeDouble(out, part);
}

function readTotal(from: ByteReader): ExactTotal {
  const carry = readCount(from);
  return {
    carry: carry % 2 === 0 ? carry / 2 : -(carry + 1) / 2,
    parts: Array.from({ length: readCount(from) }, () => readDouble(from)),
  };
}
