// Sums of integers, exact: the high and the low 32 bits are summed apart, each in a double that never leaves 2^53.

import { HeadraceError } from '../../core/index.ts';
import { columnOf, joinInt64 } from '../input-value.ts';
import type { Op, PartSpec, Place, ReadRange } from '../part.ts';
import { nonNullPart, readCount } from './count.ts';

const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;
const TWO_52 = 2 ** 52;

export function integerSumPart(column: string): PartSpec {
  return {
    name: 'integerSum',
    column,
    identity: [0, 0],
    cells: 0,
    build: ({ stride, slot, input }) => ({
      update(run, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        const number = (from.numbers as Float64Array)[row] as number;
        // An int32 comes as one number: its high half is its sign.
        if (from.low === undefined) add(run.slots, tile * stride + slot, number < 0 ? -1 : 0, number >>> 0);
        else add(run.slots, tile * stride + slot, number, from.low[row] as number);
      },
      merge(into, intoTile, from, fromTile) {
        const fromAt = fromTile * stride + slot;
        add(into.slots, intoTile * stride + slot, from.slots[fromAt] as number, from.slots[fromAt + 1] as number);
      },
    }),
  };
}

// A low half past 2^52 is carried over. A high half past 2^52 would lose digits: it becomes infinite and stays so (or
// NaN), which reads as an overflow. Only two million int64 extremes of one sign in one tile get there.
function add(slots: Float64Array, at: number, high: number, low: number): void {
  let nextHigh = (slots[at] as number) + high;
  let nextLow = (slots[at + 1] as number) + low;
  if (nextLow >= TWO_52) {
    const carry = Math.floor(nextLow / TWO_32);
    nextHigh += carry;
    nextLow -= carry * TWO_32;
  }
  if (Math.abs(nextHigh) >= TWO_52) nextHigh = nextHigh < 0 ? -Infinity : Infinity;
  slots[at] = nextHigh;
  slots[at + 1] = nextLow;
}

/** Folds a range of tiles and gives (high, low) to `finish`, low below 2^32 and high NaN when digits were lost. */
function readHalves<T>({ stride, slot }: Place, finish: (high: number, low: number) => T) {
  return (slots: Float64Array, from: number, to: number): T => {
    let high = 0;
    let low = 0;
    for (let at = from * stride + slot, end = to * stride; at < end; at += stride) {
      high += slots[at] as number;
      low += slots[at + 1] as number;
      if (low >= TWO_52) {
        const carry = Math.floor(low / TWO_32);
        high += carry;
        low -= carry * TWO_32;
      }
      if (!(Math.abs(high) < TWO_52)) high = Number.NaN;
    }
    const carry = Math.floor(low / TWO_32);
    return finish(high + carry, low - carry * TWO_32);
  };
}

/** The sum over a range as a double, for a mean: past int64 it is only rounded. */
export function readRoundedIntegerSum(place: Place): ReadRange<number> {
  const halves = readHalves(place, (high, low) => high * TWO_32 + low);
  return (run, from, to) => halves(run.slots, from, to);
}

export function integerSumOp(column: string): Op {
  return {
    parts: [nonNullPart(column), integerSumPart(column)],
    compile([counted, summed]) {
      const count = readCount(counted as Place);
      const sum = readHalves(summed as Place, (high, low) => {
        if (high >= -TWO_31 && high < TWO_31) return joinInt64(high, low);
        throw new HeadraceError(
          'HR_INTEGER_OVERFLOW',
          `sum("${column}") left the int64 range; make the column a float64 to sum past it`,
        );
      });
      return { read: (run, from, to) => (count(run, from, to) === 0 ? null : sum(run.slots, from, to)) };
    },
  };
}
