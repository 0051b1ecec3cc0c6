// Brings a log's ended segments to the object store, in order, then records them in the registry, then removes the local
// file. Each step may be repeated, and the next call repeats one that failed. A process that has lost the log does none of
// them: it looks whether it is still the holder before it puts an object (which never replaces another), and again in the
// transaction that records the segment.

import { readFile } from 'node:fs/promises';
import type { Kysely } from 'kysely';
import { type Clock, HeadraceError, type Logger, messageOf } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import { fenced } from '../log-writer.ts';
import { type LocalSegment, removeSegment, segmentKey, segmentPath } from './local-segments.ts';
import { checkSegmentInTurns } from './segment.ts';
import type { EventTables } from '../tables/schema.ts';
import type { ShippedTable } from '../tables/shipped-table.ts';

export interface Shipping {
  /**
   * Ships the segments that are ended, after what is under way. Throws HR_STORAGE_UNAVAILABLE, HR_LOG_DAMAGED, and HR_CONFLICT
   * where another process holds the log.
   */
  ship(): Promise<void>;
  /** The same in the background: a failure is logged and left to the next call. */
  shipSoon(): void;
  /** Resolves when nothing is under way. */
  settle(): Promise<void>;
}

export interface ShippingOptions {
  readonly folder: string;
  readonly writer: number;
  readonly token: string;
  readonly local: LocalSegment[];
  readonly isActive: (segment: LocalSegment) => boolean;
  readonly objects: ObjectStore;
  readonly shipped: ShippedTable;
  /** Asks the registry whether this process is the holder. Throws HR_STORAGE_UNAVAILABLE. */
  confirm(): Promise<boolean>;
  /** The same within a transaction. */
  isHolder(trx: Kysely<EventTables>): Promise<boolean>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function createShipping(options: ShippingOptions): Shipping {
  const { folder, writer, token, local, isActive, objects, shipped, confirm, isHolder, clock, logger } = options;
  let underWay: Promise<void> = Promise.resolve();

  const shipOne = async (segment: LocalSegment): Promise<void> => {
    const { seq } = segment;
    const path = segmentPath(folder, seq);
    // Without what a failed write may have left behind it; checked, for this copy is about to be the only one.
    const bytes = (await readFile(path)).subarray(0, segment.bytes);
    const summary = await checkSegmentInTurns(bytes, { writer, token, seq, name: path });
    // Only of a torn one there is none.
    if (summary === undefined) return;
    if (!(await confirm())) throw fenced(writer);
    await putNew(segmentKey(writer, token, seq), bytes, path);
    if (!(await shipped.add(writer, seq, summary, clock.nowMicros(), isHolder))) throw fenced(writer);
  };

  const putNew = async (key: string, bytes: Buffer, path: string): Promise<void> => {
    try {
      if (await objects.put(key, bytes, { ifAbsent: true })) return;
      // The process that put it died before it recorded that. It is put again: `headrace gc` goes by the object's age.
      if (sameAs(await objects.get(key), bytes)) return void (await objects.put(key, bytes));
    } catch (error) {
      throw storeFailed(error, key, '. Nothing is lost; it is tried again');
    }
    throw new HeadraceError(
      'HR_LOG_DAMAGED',
      `the object store holds other bytes under "${key}" than ${path}: another copy of the event log of writer ${writer} put them. ` +
        'Nothing was replaced, and the registry lists no such object, so nothing reads it. End the process that has the other copy, and ' +
        'move the object away: then this segment is shipped by itself',
    );
  };

  const shipAll = async (): Promise<void> => {
    for (let first = local[0]; first !== undefined && !isActive(first); first = local[0]) {
      await shipOne(first);
      local.shift();
      await removeSegment(folder, first.seq).catch((error: unknown) => {
        logger.warn(
          { err: error, folder, segment: first?.seq },
          'a shipped segment of the event log stays on this disk',
        );
      });
    }
  };

  const ship = (): Promise<void> => {
    const work = underWay.then(shipAll);
    underWay = work.catch(() => {});
    return work;
  };

  return {
    ship,
    shipSoon() {
      ship().catch((error: unknown) => {
        logger.warn({ err: error, writer }, 'a segment of the event log is not shipped yet; it is tried again');
      });
    },
    settle: () => underWay,
  };
}

const sameAs = (object: Uint8Array | undefined, bytes: Buffer): boolean => object !== undefined && bytes.equals(object);

/** What an object store throws, as an error of the catalogue; `more` ends the sentence. */
export function storeFailed(error: unknown, key: string, more = ''): HeadraceError {
  // A key of ours is never wrong: something lies where it should be written.
  if (error instanceof HeadraceError && error.code !== 'HR_INVALID') return error;
  const sentence = `the object store does not take or give "${key}": ${messageOf(error)}${more}`;
  return new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence, { cause: error });
}
