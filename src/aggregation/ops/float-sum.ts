// Sums of floats, compensated (Neumaier 1974, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher
// Summen"): the rounding error of each addition, found without a branch (TwoSum; Knuth, The Art of Computer Programming,
// volume 2, 4.2.2), is kept beside the sum, so order hardly matters.

import { columnOf } from '../input-value.ts';
import type { Op, PartSpec, Place, ReadRange } from '../part.ts';
import { nonNullPart } from './count.ts';

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
  const part = next - sum;
  slots[at] = next;
  slots[at + 1] = (slots[at + 1] as number) + (sum - (next - part) + (value - part));
}

/** Gives the sum over the non-null inputs of a range of tiles and how many they are; null when there are none. */
function readCounted(
  counted: Place,
  summed: Place,
  value: (sum: number, count: number) => number,
): ReadRange<number | null> {
  const { stride } = summed;
  const [countSlot, sumSlot] = [counted.slot, summed.slot];
  return ({ slots }, from, to) => {
    let count = 0;
    let sum = 0;
    let compensation = 0;
    for (let at = from * stride, end = to * stride; at < end; at += stride) {
      count += slots[at + countSlot] as number;
      const added = slots[at + sumSlot] as number;
      const next = sum + added;
      const part = next - sum;
      compensation += sum - (next - part) + (added - part) + (slots[at + sumSlot + 1] as number);
      sum = next;
    }
    if (count === 0) return null;
    return value(Number.isFinite(sum) ? sum + compensation : sum, count);
  };
}

/** The mean over a range of tiles; `counted` and `summed` lie in the same tiles. */
export function readFloatMean(counted: Place, summed: Place): ReadRange<number | null> {
  return readCounted(counted, summed, (sum, count) => sum / count);
}

export function floatSumOp(column: string): Op {
  return {
    parts: [nonNullPart(column), floatSumPart(column)],
    compile([counted, summed]) {
      const readNumber = readCounted(counted as Place, summed as Place, (sum) => sum);
      return { readNumber, read: readNumber };
    },
  };
}
