// Where a log lies on this machine's disk: in segments, shipped one after the other to the object store.

import { readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Kysely } from 'kysely';
import type { Logger } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { WriterRow } from '../event-log.ts';
import { openLease } from '../lease.ts';
import type { LogKeeping, WriterContext } from '../log-writer.ts';
import type { EventTables } from '../tables/schema.ts';
import type { ShippedTable } from '../tables/shipped-table.ts';
import { createAppender, type StandingLog } from './appender.ts';
import { restoreRow } from './lost-row.ts';
import type { FolderLock } from './folder-lock.ts';
import { type LocalSegment, segmentKey, segmentPath } from './local-segments.ts';
import { readShipped } from './read-shipped.ts';
import { entriesOf } from './segment.ts';
import { createShipping } from './shipping.ts';

export interface LogContext extends WriterContext {
  readonly objects: ObjectStore;
  readonly shipped: ShippedTable;
  readonly segmentBytes: number;
  readonly leaseMs: number;
}

export interface HeldLog {
  readonly row: WriterRow;
  readonly folder: string;
  readonly lock: FolderLock;
  readonly log: StandingLog;
  onClose(): void;
}

/** Folders of ended logs on their way out; whoever finds one may remove it. */
export const ENDED_PREFIX = '.ended-';

export function keepOnDisk({ row, folder, lock, log, onClose }: HeldLog, context: LogContext): LogKeeping {
  const { objects, writers, shipped, clock, logger, segmentBytes, leaseMs } = context;
  const { number: writer, token } = row;
  const { local, cuts } = log;
  const appender = createAppender(log, { folder, writer, token, segmentBytes, onFull: () => shipping.shipSoon() });
  const { isActive } = appender;
  const isHolder = (trx?: Kysely<EventTables>) => writers.touch(row, clock.nowMicros(), trx);
  const restore = (): Promise<boolean> => {
    const seen = { cut: 0, shipped: 0, removed: 0, logged: 0, seenMicros: clock.nowMicros() };
    return restoreRow({ ...row, ...seen }, local[0]?.seq, { writers, shipped, objects, clock, logger });
  };
  // Copies of the folder on other machines see by it that this one is alive.
  const lease = openLease({ writer, leaseMs, logger, beat: async () => (await isHolder()) || (await restore()) });
  const { confirm } = lease;
  const name = { folder, writer, token };
  const shipping = createShipping({ ...name, local, isActive, objects, shipped, confirm, isHolder, clock, logger });

  const readLocal = async ({ seq, bytes }: LocalSegment): Promise<Buffer> => {
    try {
      return (await readFile(segmentPath(folder, seq))).subarray(0, bytes);
    } catch (error) {
      const object = await objects.get(segmentKey(writer, token, seq)).catch(() => undefined);
      // Shipped since the list was made.
      if (object !== undefined) return Buffer.from(object.buffer, object.byteOffset, bytes);
      throw error;
    }
  };

  return {
    cuts,
    formerly: log.formerly,
    // On this machine the lock keeps others from it; a process on another may have taken over a copy of the folder.
    get isTaken() {
      return lease.isLost;
    },
    called: appender.called,
    durable: appender.durable,
    add: appender.add,
    restoreRow: restore,
    rotate: appender.rotate,
    ship: shipping.ship,
    async *entries(from, to) {
      // In this order: a segment that is shipped meanwhile is in one of the lists, and in one alone.
      const here = local.map((segment) => ({ ...segment }));
      // A removed cut may lie in part with one that isn't: half of it is worse than nothing.
      const first = Math.max(from, (await writers.find(writer)).removed + 1);
      const there = await shipped.holding(writer, { from: first, to, before: here[0]?.seq });
      yield* readShipped({ objects, shipped }, { writer, token }, there, [first, to]);
      for (const segment of here) {
        if (segment.lastCut < first || segment.firstCut > to) continue;
        const id = { writer, token, seq: segment.seq, name: segmentPath(folder, segment.seq) };
        yield* entriesOf(await readLocal(segment), id, first, to);
      }
    },
    async close() {
      await appender.close();
      await shipping.settle();
    },
    async letGo(isEnded) {
      lease.end();
      if (isEnded) await removeFolder(folder, logger);
      lock.release();
      onClose();
    },
  };
}

// Renamed first: half a folder must not look like a log.
async function removeFolder(folder: string, logger: Logger): Promise<void> {
  const leaving = join(dirname(folder), `${ENDED_PREFIX}${basename(folder)}`);
  try {
    await rename(folder, leaving);
    await rm(leaving, { recursive: true, force: true });
  } catch (error) {
    logger.warn({ err: error, folder }, 'the folder of an ended event log stays on this disk');
  }
}
