// Where each feed stands, for good: claims are forgotten some time after their cut was sealed, and no claim of a feed before
// it is past its place here.

import { type Kysely, sql } from 'kysely';
import type { Micros } from '../core/index.ts';
import type { Database, Migration } from '../storage/index.ts';
import { BEGUN, type CutPlace, shippedEnd } from './feed-cuts.ts';
import type { FeedId } from './feed-key.ts';

export interface FeedTable {
  /** Undefined before it began. */
  position(feed: FeedId): Promise<number | undefined>;
  /** Has it begin there, if it did not begin; gives where it stands. */
  begin(feed: FeedId, at: number, atMicros: Micros): Promise<number>;
  /** It never goes back. */
  advance(feed: FeedId, to: number, atMicros: Micros): Promise<void>;
  /** Keeps where the last of its batches in a cut ends. */
  note(feed: FeedId, cut: CutPlace, end: number): Promise<void>;
}

export interface FeedTables {
  feed_positions: { source: string; feed: string; next: number; updated_micros: number };
  feed_cuts: { source: string; feed: string; writer: number; cut: number; next: number };
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
              .values({ source, feed, ...BEGUN, next: at })
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
    note: ({ source, feed }, { writer, cut }, end) =>
      database.transaction<FeedTables, void>(
        async (trx) => {
          await trx
            .insertInto('feed_cuts')
            .values({ source, feed, writer, cut, next: end })
            .onConflict((conflict) => conflict.columns(['source', 'feed', 'writer', 'cut']).doUpdateSet({ next: end }))
            .execute();
          await shippedEnd(trx, source, feed);
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
    .addColumn('next', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('feed_cuts_key', ['source', 'feed', 'writer', 'cut'])
    .execute();
  // Of feeds from before no cut is known: what they stood at is soon shipped.
  await sql`insert into feed_cuts (source, feed, writer, cut, next) select source, feed, 0, 0, next from feed_positions`.execute(
    db,
  );
}
