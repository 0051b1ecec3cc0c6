// Entries of shipped segments, from the object store: one segment in memory at a time, only those that hold the cuts.

import type { ObjectStore } from '../../storage/index.ts';
import type { LogEntry } from '../event-log.ts';
import { logDamaged } from './damage.ts';
import { segmentKey } from './local-segments.ts';
import { entriesOf, type SegmentId } from './segment.ts';
import { storeFailed } from './shipping.ts';
import type { ShippedSegment } from './shipped-table.ts';

export interface LogName {
  readonly writer: number;
  readonly token: string;
}

/** Entries of cuts from `from` to `to`, void ones too. Throws HR_LOG_DAMAGED, HR_STORAGE_UNAVAILABLE. */
export async function* readShipped(
  objects: ObjectStore,
  { writer, token }: LogName,
  segments: readonly ShippedSegment[],
  [from, to]: readonly [number, number],
): AsyncGenerator<LogEntry> {
  for (const { seq, bytes } of segments) {
    const id: SegmentId = { writer, token, seq, name: `object "${segmentKey(writer, token, seq)}"` };
    yield* entriesOf(await fetchSegment(objects, id, bytes), id, from, to);
  }
}

async function fetchSegment(objects: ObjectStore, id: SegmentId, bytes: number): Promise<Buffer> {
  const key = segmentKey(id.writer, id.token, id.seq);
  const object = await objects.get(key).catch((error: unknown) => {
    throw storeFailed(error, key);
  });
  if (object === undefined) throw logDamaged(id, 0, 'the object is missing');
  if (object.length !== bytes) {
    throw logDamaged(id, Math.min(object.length, bytes), `it has ${object.length} bytes, the registry says ${bytes}`);
  }
  return Buffer.from(object.buffer, object.byteOffset, object.length);
}
