// Variance and standard deviation of the sample, stable: Welford's update (1962) and the pairwise merge of Chan,
// Golub and LeVeque (1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances").

import { columnOf, doubleAt } from '../input-value.ts';
import type { Op, PartSpec, Place, ReadRange } from '../part.ts';

/** Slots: count, mean, sum of squared distances to the mean. */
function momentsPart(column: string): PartSpec {
  return {
    name: 'moments',
    column,
    identity: [0, 0, 0],
    cells: 0,
    build: ({ stride, slot, input }) => ({
      update({ slots }, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        const value = doubleAt(from, row);
        const at = tile * stride + slot;
        const count = (slots[at] as number) + 1;
        const mean = slots[at + 1] as number;
        const nextMean = mean + (value - mean) / count;
        slots[at] = count;
        slots[at + 1] = nextMean;
        slots[at + 2] = (slots[at + 2] as number) + (value - mean) * (value - nextMean);
      },
      merge(into, intoTile, from, fromTile) {
        const at = intoTile * stride + slot;
        const fromAt = fromTile * stride + slot;
        const counted = into.slots[at] as number;
        const more = from.slots[fromAt] as number;
        if (more === 0) return;
        if (counted === 0) {
          for (let s = 0; s < 3; s++) into.slots[at + s] = from.slots[fromAt + s] as number;
          return;
        }
        const distance = (from.slots[fromAt + 1] as number) - (into.slots[at + 1] as number);
        const count = counted + more;
        into.slots[at] = count;
        into.slots[at + 1] = (into.slots[at + 1] as number) + (distance * more) / count;
        into.slots[at + 2] =
          (into.slots[at + 2] as number) +
          (from.slots[fromAt + 2] as number) +
          distance * distance * ((counted * more) / count);
      },
    }),
  };
}

export function varianceOp(column: string, op: 'variance' | 'stddev'): Op {
  return {
    parts: [momentsPart(column)],
    compile([place]) {
      const { stride, slot } = place as Place;
      const readNumber: ReadRange<number | null> = ({ slots }, from, to) => {
        let count = 0;
        let mean = 0;
        let squares = 0;
        for (let at = from * stride + slot, end = to * stride; at < end; at += stride) {
          const more = slots[at] as number;
          if (more === 0) continue;
          const merged = count + more;
          const distance = (slots[at + 1] as number) - mean;
          squares += (slots[at + 2] as number) + (count === 0 ? 0 : distance * distance * ((count * more) / merged));
          mean = count === 0 ? (slots[at + 1] as number) : mean + (distance * more) / merged;
          count = merged;
        }
        if (count < 2) return null;
        const variance = squares / (count - 1);
        return op === 'variance' ? variance : Math.sqrt(variance);
      };
      return { readNumber, read: readNumber };
    },
  };
}
