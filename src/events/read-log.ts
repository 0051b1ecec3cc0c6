// What every machine reads of a log: entries of shipped cuts, without the void ones, from wherever their segments lie.

import type { EventLog, LogEntry, WriterRow } from './event-log.ts';
import type { ShippedSegment, ShippedTable } from './tables/shipped-table.ts';
import type { WriterTable } from './tables/writer-table.ts';

/** Entries of the cuts between the two, void ones too. */
export type ReadSegments = (
  row: WriterRow,
  segments: readonly ShippedSegment[],
  range: readonly [from: number, to: number],
) => AsyncIterable<LogEntry>;

export function createReader(
  writers: WriterTable,
  shipped: ShippedTable,
  readSegments: ReadSegments,
): EventLog['read'] {
  return async function* (writer, from, to, source) {
    const row = await writers.find(writer);
    const range = [Math.max(from, row.removed + 1), Math.min(to, row.shipped)] as const;
    const voids = new Map((await shipped.cuts(writer, ...range)).map((cut) => [cut.cut, cut.voids]));
    const segments = await shipped.holding(writer, { from: range[0], to: range[1], source });
    for await (const entry of readSegments(row, segments, range)) {
      if (source !== undefined && entry.source !== source) continue;
      // A cut that is not listed was removed meanwhile, and only lies here with one that wasn't.
      if (voids.get(entry.cut)?.has(entry.offset) === false) yield entry;
    }
  };
}
