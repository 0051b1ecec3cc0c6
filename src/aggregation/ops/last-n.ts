// lastN: the newest n non-null values, oldest of them first, by (event time, known time, arrival).

import type { DataType, Value } from '../../core/index.ts';
import {
  type ByteReader,
  readCount,
  readDouble,
  readValue,
  writeCount,
  writeDouble,
  writeValue,
} from '../byte-stream.ts';
import { columnOf, valueAt } from '../input-value.ts';
import type { Op, PartSpec, Place } from '../part.ts';

interface Entry {
  readonly event: number;
  readonly known: number;
  readonly value: Value;
}

export function lastNOp(column: string, type: DataType, n: number): Op {
  const part: PartSpec = {
    name: `last${n}`,
    column,
    identity: [],
    cells: 1,
    build: ({ cellStride, cell, input }) => ({
      update(run, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        const at = tile * cellStride + cell;
        // A part's cells are entries in ascending order, at most n, or undefined.
        const entries = (run.cells[at] ??= []) as Entry[];
        const event = events.eventMicros[row] as number;
        insert(entries, { event, known: events.knownMicros[row] as number, value: valueAt(type, from, row) }, n);
      },
      merge(into, intoTile, from, fromTile) {
        const more = from.cells[fromTile * cellStride + cell] as readonly Entry[] | undefined;
        if (more === undefined) return;
        const at = intoTile * cellStride + cell;
        const entries = (into.cells[at] ??= []) as Entry[];
        for (const entry of more) insert(entries, entry, n);
      },
      cell: {
        write(out, cell) {
          const entries = cell as readonly Entry[];
          writeCount(out, entries.length);
          for (const { event, known, value } of entries) {
            writeDouble(out, event);
            writeDouble(out, known);
            writeValue(out, type, value);
          }
        },
        read: (bytes) => Array.from({ length: readCount(bytes) }, () => readEntry(bytes, type)),
      },
    }),
  };
  return {
    parts: [part],
    compile([place]) {
      const { cellStride, cell } = place as Place;
      return {
        read({ cells }, from, to) {
          const newest: Value[] = [];
          for (let tile = to - 1; tile >= from && newest.length < n; tile--) {
            const entries = (cells[tile * cellStride + cell] ?? []) as readonly Entry[];
            for (let i = entries.length - 1; i >= 0 && newest.length < n; i--) newest.push((entries[i] as Entry).value);
          }
          return newest.length === 0 ? null : newest.reverse();
        },
      };
    },
  };
}

function readEntry(bytes: ByteReader, type: DataType): Entry {
  const event = readDouble(bytes);
  const known = readDouble(bytes);
  return { event, known, value: readValue(bytes, type) };
}

// After its equals: of full ties the one that came later is newer.
function insert(entries: Entry[], entry: Entry, n: number): void {
  let at = entries.length;
  while (at > 0) {
    const before = entries[at - 1] as Entry;
    if (before.event < entry.event || (before.event === entry.event && before.known <= entry.known)) break;
    at--;
  }
  if (at === 0 && entries.length === n) return;
  entries.splice(at, 0, entry);
  if (entries.length > n) entries.shift();
}
