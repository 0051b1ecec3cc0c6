// Variance and standard deviation of the sample, stable: Welford's update (1962) and the pairwise merge of Chan,
// Golub and LeVeque (1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances"), with the mean
// in two doubles: in one it is off by a digit of its own size, which far from zero is more than the spread.

import { columnOf, doubleAt } from '../input-value.ts';
import type { Op, PartSpec, Place, ReadRange } from '../part.ts';

/** Slots: count, mean, what the mean lacks, sum of squared distances to the mean. */
function momentsPart(column: string): PartSpec {
  return {
    name: 'preciseMoments',
    column,
    identity: [0, 0, 0, 0],
    cells: 0,
    build: ({ stride, slot, input }) => ({
      update({ slots }, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        const value = doubleAt(from, row);
        const at = tile * stride + slot;
        const count = (slots[at] as number) + 1;
        const mean = slots[at + 1] as number;
        const low = slots[at + 2] as number;
        const distance = value - mean - low;
        // Two values can be further apart than the greatest double, but not so their shares in the mean.
        const step = Number.isFinite(distance) ? distance / count : value / count - mean / count;
        const nextMean = mean + step;
        const part = nextMean - mean;
        const nextLow = low + (mean - (nextMean - part) + (step - part));
        slots[at] = count;
        slots[at + 1] = nextMean;
        slots[at + 2] = nextLow;
        if (count > 1) slots[at + 3] = (slots[at + 3] as number) + distance * (value - nextMean - nextLow);
      },
      merge(into, intoTile, from, fromTile) {
        const at = intoTile * stride + slot;
        mergeMoments(into.slots, at, from.slots, fromTile * stride + slot);
      },
    }),
  };
}

function mergeMoments(into: Float64Array, at: number, from: Float64Array, fromAt: number): void {
  const counted = into[at] as number;
  const more = from[fromAt] as number;
  if (more === 0) return;
  if (counted === 0) {
    for (let s = 0; s < 4; s++) into[at + s] = from[fromAt + s] as number;
    return;
  }
  const mean = into[at + 1] as number;
  const distance = (from[fromAt + 1] as number) - mean + ((from[fromAt + 2] as number) - (into[at + 2] as number));
  const count = counted + more;
  const share = more / count;
  const step = Number.isFinite(distance) ? distance * share : (from[fromAt + 1] as number) * share - mean * share;
  const nextMean = mean + step;
  const part = nextMean - mean;
  into[at] = count;
  into[at + 1] = nextMean;
  into[at + 2] = (into[at + 2] as number) + (mean - (nextMean - part) + (step - part));
  into[at + 3] = (into[at + 3] as number) + (from[fromAt + 3] as number) + distance * distance * (counted * share);
}

export function varianceOp(column: string, op: 'variance' | 'stddev'): Op {
  return {
    parts: [momentsPart(column)],
    compile([place]) {
      const { stride, slot } = place as Place;
      const merged = new Float64Array(4);
      const readNumber: ReadRange<number | null> = ({ slots }, from, to) => {
        merged.fill(0);
        for (let at = from * stride + slot, end = to * stride; at < end; at += stride)
          mergeMoments(merged, 0, slots, at);
        const count = merged[0] as number;
        if (count < 2) return null;
        const variance = (merged[3] as number) / (count - 1);
        return op === 'variance' ? variance : Math.sqrt(variance);
      };
      return { readNumber, read: readNumber };
    },
  };
}
