// lastN: the newest n non-null values, oldest of them first, by (event time, known time, order key).

import { compareOrder, type DataType, type Value } from '../../core/index.ts';
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
import { orderAt, readOrder, writeOrder } from '../row-order.ts';
import { setCell } from '../tile-run.ts';
import type { TileRun } from '../aggregator.ts';

interface Entry {
  readonly event: number;
  readonly known: number;
  readonly order: Uint8Array | undefined;
  readonly value: Value;
}

export function lastNOp(column: string, type: DataType, n: number): Op {
  const part: PartSpec = {
    name: `last${n}ByOrder`,
    column,
    identity: [],
    cells: 1,
    build: ({ cellStride, cell, input }) => ({
      update(run, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        const event = events.eventMicros[row] as number;
        const known = events.knownMicros[row] as number;
        const entry = { event, known, order: orderAt(events, row), value: valueAt(type, from, row) };
        insert(entriesAt(run, tile * cellStride + cell), entry, n);
      },
      merge(into, intoTile, from, fromTile) {
        const more = from.cells[fromTile * cellStride + cell] as readonly Entry[] | undefined;
        if (more === undefined) return;
        const entries = entriesAt(into, intoTile * cellStride + cell);
        for (const entry of more) insert(entries, entry, n);
      },
      cells: [
        {
          write(out, cell) {
            const entries = cell as readonly Entry[];
            writeCount(out, entries.length);
            for (const { event, known, order, value } of entries) {
              writeDouble(out, event);
              writeDouble(out, known);
              writeOrder(out, order);
              writeValue(out, type, value);
            }
          },
          read: (bytes) => Array.from({ length: readCount(bytes) }, () => readEntry(bytes, type)),
        },
      ],
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
  const order = readOrder(bytes);
  return { event, known, order, value: readValue(bytes, type) };
}

// A part's cells are entries in ascending order, at most n, or undefined.
function entriesAt(run: TileRun, at: number): Entry[] {
  const existing = run.cells[at] as Entry[] | undefined;
  if (existing !== undefined) return existing;
  const made: Entry[] = [];
  setCell(run, at, made);
  return made;
}

// After its equals: of rows of one order the one that came later is newer.
function insert(entries: Entry[], entry: Entry, n: number): void {
  let at = entries.length;
  while (at > 0) {
    if (compareEntries(entries[at - 1] as Entry, entry) <= 0) break;
    at--;
  }
  if (at === 0 && entries.length === n) return;
  entries.splice(at, 0, entry);
  if (entries.length > n) entries.shift();
}

function compareEntries(a: Entry, b: Entry): number {
  return a.event - b.event || a.known - b.known || compareOrder(a.order, b.order);
}
