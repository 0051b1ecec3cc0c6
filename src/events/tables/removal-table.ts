// What of the shipped log retention may look at and take away, in the registry: a cut is removed by one number on its
// writer's row, and the segments go after it.

import type { Database } from '../../storage/index.ts';
import type { CutContents } from '../event-log.ts';
import type { EventTables } from './schema.ts';
import { contentsFromJson, type ShippedTable } from './shipped-table.ts';

/** Segments whose objects are to be deleted. */
export interface RemovedSegments {
  readonly writer: number;
  readonly token: string;
  readonly seqs: readonly [number, ...number[]];
}

export interface RemovalTable {
  contents(): Promise<CutContents[]>;
  /**
   * Cuts that are shipped are removed from here on, and so are the segments that hold no other. Gives all segments whose
   * objects are still to be deleted, by writer.
   */
  markRemoved(through: ReadonlyMap<number, number>): Promise<RemovedSegments[]>;
  /** Forgets removed segments up to this one, whose objects are deleted, and the cuts that are in none any more. */
  dropRemoved(writer: number, lastSeq: number): Promise<void>;
}

export function openRemovalTable(database: Database, { last }: Pick<ShippedTable, 'last'>): RemovalTable {
  const db = database.tables<EventTables>();
  return {
    async contents() {
      const rows = await db
        .selectFrom('event_segments')
        .innerJoin('event_writers', 'event_writers.number', 'event_segments.writer')
        .select(['writer', 'first_cut', 'last_cut', 'contents', 'shipped_micros', 'shipped', 'removed'])
        .where('is_removed', '=', 0)
        .where('first_cut', 'is not', null)
        .orderBy('writer')
        .orderBy('seq')
        .execute();
      const found = new Map<string, CutContents>();
      for (const { writer, first_cut: first, last_cut: last, contents, shipped_micros: at, shipped, removed } of rows) {
        const parts = contents === null ? cutsFrom(first ?? 0, last ?? -1) : contentsFromJson(contents);
        for (const [cut, source, count] of parts) {
          if (cut <= removed || cut > shipped) continue;
          const id = `${writer}/${cut}`;
          const before = found.get(id) ?? { writer, cut, rows: new Map(), shippedMicros: at };
          const { rows: known } = before;
          const rows = known === null || source === undefined ? null : new Map(known);
          if (rows !== null && source !== undefined) rows.set(source, (rows.get(source) ?? 0) + count);
          found.set(id, { ...before, rows, shippedMicros: Math.max(before.shippedMicros, at) });
        }
      }
      return [...found.values()];
    },
    async markRemoved(through) {
      // Readers go by the writer's row, so no cut is ever half there.
      await database.transaction<EventTables, void>(async (trx) => {
        for (const [writer, cut] of through) {
          await trx
            .updateTable('event_writers')
            .set({ removed: cut })
            .where('number', '=', writer)
            .where('removed', '<', cut)
            .where('shipped', '>=', cut)
            .execute();
          await trx
            .updateTable('event_segments')
            .set({ is_removed: 1 })
            .where('writer', '=', writer)
            .where('is_removed', '=', 0)
            .where((where) =>
              where.or([
                where('last_cut', 'is', null),
                where(
                  'last_cut',
                  '<=',
                  where.selectFrom('event_writers').select('removed').where('number', '=', writer),
                ),
              ]),
            )
            .execute();
        }
      });
      const rows = await db
        .selectFrom('event_segments')
        .innerJoin('event_writers', 'event_writers.number', 'event_segments.writer')
        .select(['writer', 'token', 'seq'])
        .where('is_removed', '=', 1)
        .orderBy('writer')
        .orderBy('seq')
        .execute();
      const removed = new Map<number, { writer: number; token: string; seqs: [number, ...number[]] }>();
      for (const { writer, token, seq } of rows) {
        const before = removed.get(writer);
        if (before === undefined) removed.set(writer, { writer, token, seqs: [seq] });
        else before.seqs.push(seq);
      }
      return [...removed.values()];
    },
    async dropRemoved(writer, lastSeq) {
      const end = await last(writer);
      // The last row stays: it tells where the log stands.
      await db
        .deleteFrom('event_segments')
        .where('writer', '=', writer)
        .where('is_removed', '>', 0)
        .where('seq', '<=', lastSeq)
        .where('seq', '<', end?.seq ?? 0)
        .execute();
      await db
        .updateTable('event_segments')
        .set({ is_removed: 2 })
        .where('writer', '=', writer)
        .where('is_removed', '=', 1)
        .where('seq', '<=', lastSeq)
        .execute();
      // A segment that is still there may begin in a cut that goes, and its reader needs the void entries.
      const { first, removed } = await db
        .selectFrom('event_writers')
        .leftJoin('event_segments', (join) =>
          join.onRef('event_segments.writer', '=', 'event_writers.number').on('is_removed', '=', 0),
        )
        .select((select) => [select.fn.min('first_cut').as('first'), select.fn.max('removed').as('removed')])
        .where('event_writers.number', '=', writer)
        .executeTakeFirstOrThrow();
      const through = Math.min(removed, (first ?? Number.MAX_SAFE_INTEGER) - 1);
      await db.deleteFrom('event_cuts').where('writer', '=', writer).where('cut', '<=', through).execute();
    },
  };
}

/** Of a segment that does not say what it holds: any of its cuts may hold anything. */
function cutsFrom(first: number, last: number): (readonly [cut: number, source: undefined, rows: 0])[] {
  return Array.from({ length: last - first + 1 }, (_, i) => [first + i, undefined, 0] as const);
}
