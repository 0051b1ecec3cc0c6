// The registry's index of what was shipped: which segment holds which cuts, and each cut's boundaries and void entries,
// so that a reader fetches only the segments that it needs. A segment is an object, or lies in a partition of a topic.

import type { Kysely } from 'kysely';
import type { Micros } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import type { CutRecord } from '../event-log.ts';
import { type Positions, viewFromJson, viewToJson } from '../records/log-record.ts';
import type { EventTables } from './schema.ts';
import type { LogContents, LogSummary } from '../records/log-summary.ts';

export interface ShippedSegment {
  readonly seq: number;
  readonly bytes: number;
  /** Of its last entry. */
  readonly lastCut: number;
  /** Where it lies in its writer's partition; undefined for an object. */
  readonly span?: LogSpan | undefined;
}

/** Offsets in a partition: from `from` to before `to`. */
export interface LogSpan {
  readonly from: number;
  readonly to: number;
}

/** What is told of a segment that is shipped. */
export interface ShippedSummary extends LogSummary {
  readonly bytes: number;
  readonly span?: LogSpan;
}

/** The last one shipped, and where the log stands after it. */
export interface LastShipped extends Pick<ShippedSegment, 'seq' | 'bytes' | 'span'> {
  readonly end: Positions;
}

export interface Holding {
  readonly from: number;
  readonly to: number;
  /** Segments numbered below it alone. */
  readonly before?: number | undefined;
  /** Those that hold entries of it alone, as far as is known. */
  readonly source?: string | undefined;
}

export interface ShippedTable {
  /**
   * Records a segment that every machine can read; a repeat changes nothing. False, and nothing is recorded, where `may`
   * says no in the same transaction.
   */
  add(
    writer: number,
    seq: number,
    summary: ShippedSummary,
    atMicros: Micros,
    may?: (trx: Kysely<EventTables>) => Promise<boolean>,
  ): Promise<boolean>;
  /** The same within a transaction. */
  addWithin(
    trx: Kysely<EventTables>,
    writer: number,
    seq: number,
    summary: ShippedSummary,
    atMicros: Micros,
  ): Promise<void>;
  last(writer: number): Promise<LastShipped | undefined>;
  /** Segments with entries of cuts from `from` to `to`. */
  holding(writer: number, range: Holding): Promise<ShippedSegment[]>;
  cuts(writer: number, from?: number, to?: number): Promise<CutRecord[]>;
  isRemoved(writer: number, seq: number): Promise<boolean>;
  /** As `EventLog.waiting`. */
  waiting(): Promise<ReadonlyMap<number, number>>;
}

export function openShippedTable(database: Database): ShippedTable {
  const db = database.tables<EventTables>();

  const last: ShippedTable['last'] = async (writer) => {
    const row = await db
      .selectFrom('event_segments')
      .selectAll()
      .where('writer', '=', writer)
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const { seq, bytes, end_cut: cut, end_sealed: sealed, end_offset: offset } = row;
    return { seq, bytes, end: { cut, sealed, offset }, span: spanOf(row) };
  };

  const addWithin: ShippedTable['addWithin'] = async (
    trx,
    writer,
    seq,
    { bytes, firstCut, lastCut, end, marks, seals, contents, span },
    atMicros,
  ) => {
    const row = {
      writer,
      seq,
      bytes,
      first_cut: firstCut ?? null,
      last_cut: lastCut ?? null,
      end_cut: end.cut,
      end_sealed: end.sealed,
      end_offset: end.offset,
      is_removed: 0,
      contents: JSON.stringify(contents),
      shipped_micros: atMicros,
      log_from: span?.from ?? null,
      log_to: span?.to ?? null,
    };
    await trx
      .insertInto('event_segments')
      .values(row)
      .onConflict((conflict) => conflict.columns(['writer', 'seq']).doNothing())
      .execute();
    for (const { cut, view } of marks) {
      await trx
        .insertInto('event_cuts')
        .values({ writer, cut, view: viewToJson(view), voids: null })
        .onConflict((conflict) => conflict.columns(['writer', 'cut']).doNothing())
        .execute();
    }
    for (const { cut, voids } of seals) {
      await trx
        .updateTable('event_cuts')
        .set({ voids: JSON.stringify(voids) })
        .where('writer', '=', writer)
        .where('cut', '=', cut)
        .execute();
    }
  };

  return {
    add: (writer, seq, summary, atMicros, may) =>
      database.transaction<EventTables, boolean>(async (trx) => {
        if (may !== undefined && !(await may(trx))) return false;
        await addWithin(trx, writer, seq, summary, atMicros);
        return true;
      }),
    addWithin,
    last,
    async holding(writer, { from, to, before = Number.MAX_SAFE_INTEGER, source }) {
      const rows = await db
        .selectFrom('event_segments')
        .select(['seq', 'bytes', 'contents', 'last_cut', 'log_from', 'log_to'])
        .where('writer', '=', writer)
        .where('is_removed', '=', 0)
        .where('seq', '<', before)
        .where('last_cut', '>=', from)
        .where('first_cut', '<=', to)
        .orderBy('seq')
        .execute();
      const holds = (contents: string | null): boolean =>
        source === undefined || contents === null || contentsFromJson(contents).some(([, name]) => name === source);
      return rows.flatMap((row) => {
        const { seq, bytes, contents, last_cut: lastCut } = row;
        // One without an entry was not asked for.
        return holds(contents) && lastCut !== null ? [{ seq, bytes, lastCut, span: spanOf(row) }] : [];
      });
    },
    async cuts(writer, from = 0, to = Number.MAX_SAFE_INTEGER) {
      const rows = await db
        .selectFrom('event_cuts')
        .selectAll()
        .where('writer', '=', writer)
        .where('cut', '>=', from)
        .where('cut', '<=', to)
        .orderBy('cut')
        .execute();
      return rows.map(({ cut, view, voids }) => ({
        cut,
        view: viewFromJson(view),
        // What `add` wrote.
        voids: voids === null ? undefined : new Set(JSON.parse(voids) as number[]),
      }));
    },
    async isRemoved(writer, seq) {
      const row = await db
        .selectFrom('event_segments')
        .select('is_removed')
        .where('writer', '=', writer)
        .where('seq', '=', seq)
        .executeTakeFirst();
      return row === undefined || row.is_removed > 0;
    },
    async waiting() {
      const found = new Map<number, number>();
      const writers = await db
        .selectFrom('event_writers')
        .select(['number', 'shipped', 'logged'])
        .where('state', '=', 'open')
        .execute();
      for (const { number, shipped, logged } of writers) {
        const end = (await last(number))?.end.offset ?? 0;
        // A segment goes to the others as it fills, and may hold entries of a cut that is not shipped.
        const segments = await db
          .selectFrom('event_segments')
          .select('contents')
          .where('writer', '=', number)
          .where('last_cut', '>', shipped)
          .execute();
        const ahead = segments.flatMap(({ contents }) => (contents === null ? [] : contentsFromJson(contents)));
        const unreadable = ahead.reduce((sum, [cut, , rows]) => (cut > shipped ? sum + rows : sum), 0);
        found.set(number, Math.max(0, logged - end) + unreadable);
      }
      return found;
    },
  };
}

function spanOf(row: { readonly log_from: number | null; readonly log_to: number | null }): LogSpan | undefined {
  return row.log_from === null || row.log_to === null ? undefined : { from: row.log_from, to: row.log_to };
}

export function contentsFromJson(text: string): LogContents {
  // What `add` wrote.
  return JSON.parse(text) as LogContents;
}
