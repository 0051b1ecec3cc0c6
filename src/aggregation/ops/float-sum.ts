// Sums of floats, compensated (Neumaier 1974, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher
// Summen"): the rounding error of each addition is kept beside the sum, so order hardly matters.

import { columnOf } from '../input-value.ts';
import type { Op, PartSpec, Place, ReadRange } from '../part.ts';
import { nonNullPart, readCount } from './count.ts';

export function floatSumPart(column: string): PartSpec {
  return {
    name: 'floatSum',
    column,
    identity: [0, 0],
    cells: 0,
    build: ({ stride, slot, input }) => ({
      update(run, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        add(run.slots, tile * stride + slot, (from.numbers as Float64Array)[row] as number);
      },
      merge(into, intoTile, from, fromTile) {
        const at = intoTile * stride + slot;
        const fromAt = fromTile * stride + slot;
        add(into.slots, at, from.slots[fromAt] as number);
        into.slots[at + 1] = (into.slots[at + 1] as number) + (from.slots[fromAt + 1] as number);
      },
    }),
  };
}

// Once the sum isn't finite its compensation is NaN, and never looked at again.
function add(slots: Float64Array, at: number, value: number): void {
  const sum = slots[at] as number;
  const next = sum + value;
  const lost = Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
  slots[at] = next;
  slots[at + 1] = (slots[at + 1] as number) + lost;
}

/** The sum over a range of tiles; 0 where there are none. */
export function readFloatSum({ stride, slot }: Place): ReadRange<number> {
  return (run, from, to) => {
    const { slots } = run;
    let sum = 0;
    let compensation = 0;
    for (let at = from * stride + slot, end = to * stride; at < end; at += stride) {
      const value = slots[at] as number;
      const next = sum + value;
      compensation += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
      compensation += slots[at + 1] as number;
      sum = next;
    }
    return Number.isFinite(sum) ? sum + compensation : sum;
  };
}

export function floatSumOp(column: string): Op {
  return {
    parts: [nonNullPart(column), floatSumPart(column)],
    compile([counted, summed]) {
      const count = readCount(counted as Place);
      const sum = readFloatSum(summed as Place);
      const readNumber: ReadRange<number | null> = (run, from, to) =>
        count(run, from, to) === 0 ? null : sum(run, from, to);
      return { readNumber, read: readNumber };
    },
  };
}
