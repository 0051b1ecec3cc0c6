// Where each feed stands, for good: claims are forgotten some time after their cut was sealed, and no claim of a feed before
// it is past its place here.

import { type Kysely, sql } from 'kysely';
import type { Micros } from '../core/index.ts';
import type { Database, Migration } from '../storage/index.ts';
import { type CutPlace, mergeShipped, NO_CUT } from './feed-cuts.ts';
import type { FeedId, FeedPart } from './feed-key.ts';

export interface FeedTable {
  /** Undefined before it began. */
  position(feed: FeedId): Promise<number | undefined>;
  /** Has it begin there, if it did not begin; gives where it stands. */
  begin(feed: FeedId, at: number, atMicros: Micros): Promise<number>;
  /** It never goes back. */
  advance(feed: FeedId, to: number, atMicros: Micros): Promise<void>;
  /** Keeps which parts of it a cut has. */
  note(feed: FeedId, cut: CutPlace, parts: readonly FeedPart[]): Promise<void>;
  /** Whether another cut than that has what lies at a position. */
  isNoted(feed: FeedId, at: number, but: CutPlace): Promise<boolean>;
}

export interface FeedTables {
  feed_positions: { source: string; feed: string; next: number; updated_micros: number };
  feed_cuts: { source: string; feed: string; writer: number; cut: number; first: number; next: number };
}

const MIGRATIONS: readonly Migration[] = [
  { name: '0001-feeds', up: createTable },
  { name: '0002-cuts', up: addCuts },
];

/** Opens the table, made where it is not there yet. */
export async function openFeeds(opened: Database): Promise<FeedTable> {
  const database = await opened.migrate('feeds', MIGRATIONS);
  const db = database.tables<FeedTables>();
  const position = async ({ source, feed }: FeedId): Promise<number | undefined> => {
    const row = await db
      .selectFrom('feed_positions')
      .select('next')
      .where('source', '=', source)
      .where('feed', '=', feed)
      .executeTakeFirst();
    return row?.next;
  };
  return {
    position,
    async begin({ source, feed }, at, atMicros) {
      await database.transaction<FeedTables, void>(
        async (trx) => {
          const { numInsertedOrUpdatedRows } = await trx
            .insertInto('feed_positions')
            .values({ source, feed, next: at, updated_micros: atMicros })
            .onConflict((conflict) => conflict.columns(['source', 'feed']).doNothing())
            .executeTakeFirst();
          if ((numInsertedOrUpdatedRows ?? 0n) > 0n)
            await trx
              .insertInto('feed_cuts')
              .values({ source, feed, ...NO_CUT, first: at, next: at })
              .execute();
        },
        { serializedBy: 'feeds' },
      );
      return (await position({ source, feed })) ?? at;
    },
    async advance({ source, feed }, to, atMicros) {
      await db
        .updateTable('feed_positions')
        .set({ next: to, updated_micros: atMicros })
        .where('source', '=', source)
        .where('feed', '=', feed)
        .where('next', '<', to)
        .execute();
    },
    async isNoted({ source, feed }, at, but) {
      const rows = await db
        .selectFrom('feed_cuts')
        .select(['writer', 'cut'])
        .where('source', '=', source)
        .where('feed', '=', feed)
        .where('first', '<=', at)
        .where('next', '>', at)
        .execute();
      return rows.some(({ writer, cut }) => writer !== but.writer || cut !== but.cut);
    },
    note: ({ source, feed }, { writer, cut }, parts) =>
      database.transaction<FeedTables, void>(
        async (trx) => {
          // Whoever noted it before may have died then.
          await trx
            .deleteFrom('feed_cuts')
            .where('source', '=', source)
            .where('feed', '=', feed)
            .where('writer', '=', writer)
            .where('cut', '=', cut)
            .execute();
          const rows = parts.map(({ first, next }) => ({ source, feed, writer, cut, first, next }));
          await trx.insertInto('feed_cuts').values(rows).execute();
          await mergeShipped(trx, source, feed);
        },
        { serializedBy: 'feeds' },
      ),
  };
}

async function createTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('feed_positions')
    .addColumn('source', 'text', (column) => column.notNull())
    .addColumn('feed', 'text', (column) => column.notNull())
    .addColumn('next', 'bigint', (column) => column.notNull())
    .addColumn('updated_micros', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('feed_positions_key', ['source', 'feed'])
    .execute();
}

async function addCuts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('feed_cuts')
    .addColumn('source', 'text', (column) => column.notNull())
    .addColumn('feed', 'text', (column) => column.notNull())
    .addColumn('writer', 'bigint', (column) => column.notNull())
    .addColumn('cut', 'bigint', (column) => column.notNull())
    .addColumn('first', 'bigint', (column) => column.notNull())
    .addColumn('next', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('feed_cuts_key', ['source', 'feed', 'writer', 'cut', 'first'])
    .execute();
  // Of feeds from before no cut is known: what they stood at is soon shipped.
  await sql`insert into feed_cuts (source, feed, writer, cut, first, next) select source, feed, 0, 0, 0, next from feed_positions`.execute(
    db,
  );
}
