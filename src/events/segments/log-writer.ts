// A log that this process holds: its own, or a dead one's that it settles.

import { readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Clock, HeadraceError, type Logger } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { LogEntry, LogWriter, NewEntry, WriterRow } from '../event-log.ts';
import { createAppender, type StandingLog } from './appender.ts';
import type { FolderLock } from './folder-lock.ts';
import { type LocalSegment, segmentKey, segmentPath } from './local-segments.ts';
import { packEntry, packMark, packSeal } from './log-record.ts';
import { readShipped } from './read-shipped.ts';
import { decodeRows, encodeRows } from './row-codec.ts';
import { entriesOf } from './segment.ts';
import { createShipping } from './shipping.ts';
import type { ShippedTable } from './shipped-table.ts';
import type { WriterNews, WriterTable } from './writer-table.ts';

export interface LogContext {
  readonly objects: ObjectStore;
  readonly writers: WriterTable;
  readonly shipped: ShippedTable;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly segmentBytes: number;
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

export function openLogWriter({ row, folder, lock, log, onClose }: HeldLog, context: LogContext): LogWriter {
  const { objects, writers, shipped, clock, logger, segmentBytes } = context;
  const { number: writer, token, holder } = row;
  const { local, cuts } = log;
  let shippedCut = row.shipped;
  let state: 'open' | 'ended' | 'fenced' | 'closed' = row.state === 'ended' ? 'ended' : 'open';
  const appender = createAppender(log, { folder, writer, token, segmentBytes, onFull: () => shipping.shipSoon() });
  const { isActive } = appender;
  const shipping = createShipping({ folder, writer, token, local, isActive, objects, shipped, clock, logger });

  const checkOpen = (): void => {
    if (state === 'open') return;
    if (state === 'fenced') throw fenced(writer);
    throw new HeadraceError('HR_STOPPING', `the event log of writer ${writer} is ${state}; nothing can be added to it`);
  };

  // One after the other: what the registry knows never goes back.
  let telling: Promise<void> = Promise.resolve();
  const tell = (news: Partial<Pick<WriterNews, 'shipped' | 'state'>> = {}): Promise<void> => {
    const told = telling.then(async () => {
      const shipped = Math.max(shippedCut, news.shipped ?? 0);
      const all = { ...news, seenMicros: clock.nowMicros(), cut: appender.durable().cut, shipped };
      if (await writers.tell(writer, holder, all)) {
        shippedCut = shipped;
        return;
      }
      state = 'fenced';
      throw fenced(writer);
    });
    telling = told.catch(() => {});
    return told;
  };

  // For news that the next ones carry too.
  const tellIfPossible = async (): Promise<void> => {
    await tell().catch((error: unknown) => {
      if (state === 'fenced') throw error;
      logger.warn({ err: error, writer }, 'the registry does not learn of the event log now; it is told later');
    });
  };

  let released: Promise<void> | undefined;
  const release = (beforeUnlock?: () => Promise<void>): Promise<void> => {
    released ??= (async () => {
      state = 'closed';
      await appender.close();
      await shipping.settle();
      await telling;
      await beforeUnlock?.();
      lock.release();
      onClose();
    })();
    return released;
  };

  const finish = async (): Promise<void> => {
    await appender.rotate();
    const { cut, sealed } = appender.durable();
    if (sealed !== cut || shippedCut !== cut) {
      const sentence = `writer ${writer} can't end: cut ${cut} is its last, ${sealed} is sealed, ${shippedCut} is shipped`;
      throw new HeadraceError('HR_INTERNAL', sentence);
    }
    await tell({ state: 'ended' });
    if (state === 'open') state = 'ended';
  };

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
    writer,
    holder,
    get cut() {
      return appender.called().cut;
    },
    async append(entry) {
      checkOpen();
      const { cut, offset } = appender.called();
      const { source, rows, key } = entry;
      const keyed = key === undefined ? {} : { key };
      const place = { offset, count: rows.length, source: source.name, ...keyed };
      await appender.add(packEntry(offset, entry), { kind: 'entry', ...place });
      return { writer, cut, ...place, rows: rowsOf(entry) };
    },
    async openCut(view) {
      checkOpen();
      const cut = appender.called().cut + 1;
      const mark = { kind: 'mark', cut, view } as const;
      await appender.add(packMark(mark), mark);
      await tellIfPossible();
      return cut;
    },
    async seal(cut, voids) {
      checkOpen();
      const seal = { kind: 'seal', cut, voids: [...voids].sort((a, b) => a - b) } as const;
      await appender.add(packSeal(seal), seal);
    },
    async ship() {
      const { sealed } = appender.durable();
      if (state === 'fenced') throw fenced(writer);
      if (sealed === shippedCut) return shippedCut;
      await appender.rotate();
      await shipping.ship();
      await tell({ shipped: sealed });
      return shippedCut;
    },
    touch: tellIfPossible,
    cuts: async () => [...cuts.values()].sort((a, b) => a.cut - b.cut),
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
    finish,
    async end() {
      await finish();
      await release(() => removeFolder(folder, logger));
    },
    close: () => release(),
  };
}

// The rows as they were given are what the log gives back, so long as they are asked for as the same source.
function rowsOf({ source, rows }: NewEntry): LogEntry['rows'] {
  return (wanted) => (wanted === source ? rows : decodeRows(wanted, encodeRows(source, rows)));
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

function fenced(writer: number): HeadraceError {
  const sentence = `writer ${writer} was forgotten, or another process holds its log: start this process again`;
  return new HeadraceError('HR_CONFLICT', sentence);
}
