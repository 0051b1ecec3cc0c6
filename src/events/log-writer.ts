// A log that this process holds, its own or a dead one's that it settles: the same wherever the log lies.

import { type Clock, HeadraceError, type Logger } from '../core/index.ts';
import type { CutRecord, LogEntry, LogWriter, NewEntry, WriterRow } from './event-log.ts';
import { type LogRecord, packEntry, packMark, packSeal, type Positions } from './records/log-record.ts';
import { decodeRows, encodeRows } from './records/row-codec.ts';
import type { WriterNews, WriterTable } from './tables/writer-table.ts';

/** Where the records of one log are kept. */
export interface LogKeeping {
  /** By number. */
  readonly cuts: ReadonlyMap<number, CutRecord>;
  /** As `LogWriter.formerly`. */
  readonly formerly?: number | undefined;
  /** Another was seen to hold the log: nothing can be added any more. */
  readonly isTaken: boolean;
  /** Where the log will stand once all calls so far are durable. */
  called(): Positions;
  /** Where it stands. */
  durable(): Positions;
  /** Resolves once the frame is durable; frames get there in the order of calls. Throws as `LogWriter.append` does. */
  add(frame: Buffer, record: LogRecord): Promise<void>;
  /** Makes what was added so far ready to be shipped. */
  rotate(): Promise<void>;
  /** Ships what is ready. */
  ship(): Promise<void>;
  /** Entries of cuts from `from` to `to`, those that are not shipped too. */
  entries(from: number, to: number): AsyncIterable<LogEntry>;
  /** Takes no more; resolves when nothing is under way. */
  close(): Promise<void>;
  /** Where the registry has lost the writer's row: adds it again. False where it has not; left out where that can't be done. */
  restoreRow?(): Promise<boolean>;
  /** Lets another hold the log; one that has ended nobody will. */
  letGo(isEnded: boolean): Promise<void>;
}

export interface WriterContext {
  readonly writers: WriterTable;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function openLogWriter(row: WriterRow, keeping: LogKeeping, context: WriterContext): LogWriter {
  const { writers, clock, logger } = context;
  const { number: writer, token, holder } = row;
  let shippedCut = row.shipped;
  let state: 'open' | 'ended' | 'fenced' | 'closed' = row.state === 'ended' ? 'ended' : 'open';

  const checkOpen = (): void => {
    if (state === 'open' && keeping.isTaken) state = 'fenced';
    if (state === 'open') return;
    if (state === 'fenced') throw fenced(writer);
    throw new HeadraceError('HR_STOPPING', `the event log of writer ${writer} is ${state}; nothing can be added to it`);
  };

  // One after the other: what the registry knows never goes back.
  let telling: Promise<void> = Promise.resolve();
  const tell = (news: Partial<Pick<WriterNews, 'shipped' | 'state'>> = {}): Promise<void> => {
    const told = telling.then(async () => {
      const shipped = Math.max(shippedCut, news.shipped ?? 0);
      const { cut, offset: logged } = keeping.durable();
      const all = { ...news, seenMicros: clock.nowMicros(), cut, shipped, logged };
      const isTold = async () => !keeping.isTaken && (await writers.tell(row, all));
      if ((await isTold()) || ((await keeping.restoreRow?.()) === true && (await isTold()))) {
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
  const release = (isEnded: boolean): Promise<void> => {
    released ??= (async () => {
      state = 'closed';
      await keeping.close();
      await telling;
      await keeping.letGo(isEnded);
    })();
    return released;
  };

  const finish = async (): Promise<void> => {
    await keeping.rotate();
    const { cut, sealed } = keeping.durable();
    if (sealed !== cut || shippedCut !== cut) {
      const sentence = `writer ${writer} can't end: cut ${cut} is its last, ${sealed} is sealed, ${shippedCut} is shipped`;
      throw new HeadraceError('HR_INTERNAL', sentence);
    }
    await tell({ state: 'ended' });
    if (state === 'open') state = 'ended';
  };

  return {
    writer,
    token,
    holder,
    formerly: keeping.formerly,
    get cut() {
      return keeping.called().cut;
    },
    async append(entry) {
      checkOpen();
      const { cut, offset } = keeping.called();
      const { source, rows, key, isPutBack } = entry;
      const keyed = key === undefined ? {} : { key };
      const place = { offset, count: rows.length, source: source.name, ...keyed, ...(isPutBack && { isPutBack }) };
      await keeping.add(packEntry(offset, entry), { kind: 'entry', ...place });
      return { writer, cut, ...place, rows: rowsOf(entry) };
    },
    async openCut(view) {
      checkOpen();
      const cut = keeping.called().cut + 1;
      const mark = { kind: 'mark', cut, view } as const;
      await keeping.add(packMark(mark), mark);
      await tellIfPossible();
      return cut;
    },
    async seal(cut, voids) {
      checkOpen();
      const seal = { kind: 'seal', cut, voids: [...voids].sort((a, b) => a - b) } as const;
      await keeping.add(packSeal(seal), seal);
    },
    async ship() {
      const { sealed } = keeping.durable();
      if (state === 'open' && keeping.isTaken) state = 'fenced';
      if (state === 'fenced') throw fenced(writer);
      if (sealed === shippedCut) return shippedCut;
      await keeping.rotate();
      await keeping.ship();
      await tell({ shipped: sealed });
      return shippedCut;
    },
    touch: tellIfPossible,
    cuts: async () => [...keeping.cuts.values()].sort((a, b) => a.cut - b.cut),
    async *entries(from, to) {
      yield* keeping.entries(from, to);
    },
    finish,
    async end() {
      await finish();
      await release(true);
    },
    close: () => release(false),
  };
}

// The rows as they were given are what the log gives back, so long as they are asked for as the same source.
function rowsOf({ source, rows }: NewEntry): LogEntry['rows'] {
  return (wanted) => (wanted === source ? rows : decodeRows(wanted, encodeRows(source, rows)));
}

export function fenced(writer: number): HeadraceError {
  const sentence = `writer ${writer} was forgotten, or another process holds its log: start this process again`;
  return new HeadraceError('HR_CONFLICT', sentence);
}
