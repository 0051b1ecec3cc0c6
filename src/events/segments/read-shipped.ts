// Entries of shipped segments, from the object store: one segment in memory at a time, only those that hold the cuts.

import { HeadraceError } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { LogEntry } from '../event-log.ts';
import { logDamaged } from './damage.ts';
import { segmentKey } from './local-segments.ts';
import { entriesOf, type SegmentId } from './segment.ts';
import { storeFailed } from './shipping.ts';
import type { ShippedSegment, ShippedTable } from '../tables/shipped-table.ts';

export interface LogName {
  readonly writer: number;
  readonly token: string;
}

export interface ShippedPlace {
  readonly objects: ObjectStore;
  readonly shipped: Pick<ShippedTable, 'isRemoved'>;
}

/** Entries of cuts from `from` to `to`, void ones too. Throws HR_LOG_DAMAGED, HR_STORAGE_UNAVAILABLE. */
export async function* readShipped(
  { objects, shipped }: ShippedPlace,
  { writer, token }: LogName,
  segments: readonly ShippedSegment[],
  [from, to]: readonly [number, number],
): AsyncGenerator<LogEntry> {
  for (const { seq, bytes, lastCut } of segments) {
    const name = `object "${segmentKey(writer, token, seq)}"`;
    const id: SegmentId = { writer, token, seq, name, shippedCut: lastCut };
    const segment = await fetchSegment(objects, id, bytes);
    if (segment !== undefined) yield* entriesOf(segment, id, from, to);
    // Removed since the segments were listed, with all cuts that it holds.
    else if (!(await shipped.isRemoved(writer, seq))) throw await missing(objects, id);
  }
}

/** A store that holds nothing at all has not lost an object: its disk isn't mounted, or something else lies there. */
async function missing(objects: ObjectStore, id: SegmentId): Promise<HeadraceError> {
  const key = segmentKey(id.writer, id.token, id.seq);
  try {
    for await (const _ of objects.list('')) return logDamaged(id, 0, 'the object is missing');
  } catch (error) {
    return storeFailed(error, key);
  }
  const sentence = `the object store is empty, and should hold "${key}": is it the right one (artifacts.url), and its disk mounted?`;
  return new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence);
}

async function fetchSegment(objects: ObjectStore, id: SegmentId, bytes: number): Promise<Buffer | undefined> {
  const key = segmentKey(id.writer, id.token, id.seq);
  const object = await objects.get(key).catch((error: unknown) => {
    throw storeFailed(error, key);
  });
  if (object === undefined) return undefined;
  if (object.length !== bytes) {
    throw logDamaged(id, Math.min(object.length, bytes), `it has ${object.length} bytes, the registry says ${bytes}`);
  }
  return Buffer.from(object.buffer, object.byteOffset, object.length);
}
