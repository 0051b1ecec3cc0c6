// count() counts rows, count(column) the non-null ones. min, max and mean read the latter to know an empty window.

import type { TileRun } from '../aggregator.ts';
import { columnOf } from '../input-value.ts';
import type { Op, PartSpec, Place, ReadRange } from '../part.ts';

export function rowsPart(): PartSpec {
  return countPart('rows', null);
}

export function nonNullPart(column: string): PartSpec {
  return countPart('nonNull', column);
}

function countPart(name: string, column: string | null): PartSpec {
  return {
    name,
    column,
    identity: [0],
    cells: 0,
    build: ({ stride, slot, input }) => ({
      update(run, tile, events, row) {
        if (input >= 0 && columnOf(events, input).valid[row] === 0) return;
        const at = tile * stride + slot;
        run.slots[at] = (run.slots[at] as number) + 1;
      },
      merge(into, intoTile, from, fromTile) {
        const at = intoTile * stride + slot;
        add(into, at, from.slots[fromTile * stride + slot] as number);
      },
    }),
  };
}

function add(into: TileRun, at: number, count: number): void {
  into.slots[at] = (into.slots[at] as number) + count;
}

export function countOp(column: string | null): Op {
  return {
    parts: [column === null ? rowsPart() : nonNullPart(column)],
    compile([place]) {
      const readNumber = readCount(place as Place);
      return { readNumber, read: (run, from, to) => BigInt(readNumber(run, from, to)) };
    },
  };
}

/** The count over a range of tiles. */
export function readCount({ stride, slot }: Place): ReadRange<number> {
  return (run, from, to) => {
    const { slots } = run;
    let total = 0;
    for (let at = from * stride + slot, end = to * stride; at < end; at += stride) total += slots[at] as number;
    return total;
  };
}
