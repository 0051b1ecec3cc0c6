// The registry's index of what was shipped: which segment holds which cuts, and each cut's boundaries and void entries,
// so that a reader fetches only the segments that it needs.

import type { Database } from '../../storage/index.ts';
import type { CutRecord } from '../event-log.ts';
import { type Positions, viewFromJson, viewToJson } from './log-record.ts';
import type { EventTables } from './schema.ts';
import type { SegmentSummary } from './segment.ts';

export interface ShippedSegment {
  readonly seq: number;
  readonly bytes: number;
}

/** The last one shipped, and where the log stands after it. */
export interface LastShipped extends ShippedSegment {
  readonly end: Positions;
}

export interface ShippedTable {
  /** Records a segment whose object is in the store; a repeat changes nothing. */
  add(writer: number, seq: number, summary: SegmentSummary): Promise<void>;
  last(writer: number): Promise<LastShipped | undefined>;
  /** Segments with entries of cuts from `from` to `to`, numbered below `before`. */
  holding(writer: number, from: number, to: number, before?: number): Promise<ShippedSegment[]>;
  cuts(writer: number, from?: number, to?: number): Promise<CutRecord[]>;
  /** Marks segments without an entry past the cut as removed; gives all that are so marked. */
  markRemoved(writer: number, throughCut: number): Promise<ShippedSegment[]>;
  /** Forgets what `markRemoved` marked, and the cuts. */
  dropRemoved(writer: number, throughCut: number): Promise<void>;
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
    return { seq, bytes, end: { cut, sealed, offset } };
  };

  return {
    add: (writer, seq, { bytes, firstCut, lastCut, end, marks, seals }) =>
      database.transaction<EventTables, void>(async (trx) => {
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
      }),
    last,
    holding: (writer, from, to, before = Number.MAX_SAFE_INTEGER) =>
      db
        .selectFrom('event_segments')
        .select(['seq', 'bytes'])
        .where('writer', '=', writer)
        .where('is_removed', '=', 0)
        .where('seq', '<', before)
        .where('last_cut', '>=', from)
        .where('first_cut', '<=', to)
        .orderBy('seq')
        .execute(),
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
    async markRemoved(writer, throughCut) {
      await db
        .updateTable('event_segments')
        .set({ is_removed: 1 })
        .where('writer', '=', writer)
        .where((where) => where.or([where('last_cut', 'is', null), where('last_cut', '<=', throughCut)]))
        .execute();
      return db
        .selectFrom('event_segments')
        .select(['seq', 'bytes'])
        .where('writer', '=', writer)
        .where('is_removed', '=', 1)
        .orderBy('seq')
        .execute();
    },
    async dropRemoved(writer, throughCut) {
      const end = await last(writer);
      // The last row stays: it tells where the log stands.
      await db
        .deleteFrom('event_segments')
        .where('writer', '=', writer)
        .where('is_removed', '=', 1)
        .where('seq', '<', end?.seq ?? 0)
        .execute();
      // A segment that is still there may begin in a cut that goes, and its reader needs the void entries.
      const { first } = await db
        .selectFrom('event_segments')
        .select((select) => select.fn.min('first_cut').as('first'))
        .where('writer', '=', writer)
        .where('is_removed', '=', 0)
        .executeTakeFirstOrThrow();
      const through = Math.min(throughCut, (first ?? Number.MAX_SAFE_INTEGER) - 1);
      await db.deleteFrom('event_cuts').where('writer', '=', writer).where('cut', '<=', through).execute();
    },
  };
}
