// Where each feed stands, for good: claims are forgotten some time after their cut was sealed, and no claim of a feed before
// it is past its place here.

import type { Kysely } from 'kysely';
import type { Micros } from '../core/index.ts';
import type { Database, Migration } from '../storage/index.ts';
import type { FeedId } from './feed-key.ts';

export interface FeedTable {
  /** Undefined before it began. */
  position(feed: FeedId): Promise<number | undefined>;
  /** Has it begin there, if it did not begin; gives where it stands. */
  begin(feed: FeedId, at: number, atMicros: Micros): Promise<number>;
  /** It never goes back. */
  advance(feed: FeedId, to: number, atMicros: Micros): Promise<void>;
  /** Where it stood in the backup that it came from; undefined of any other, and once it is settled. */
  restored(feed: FeedId): Promise<number | undefined>;
  /** Has one of a backup stand there, or as if it had not begun; nothing of any other. */
  settle(feed: FeedId, at: number | undefined, atMicros: Micros): Promise<void>;
}

/** In place of a time: the row came out of a backup, and nobody went on from there yet. */
export const RESTORED: Micros = -1;

export interface FeedTables {
  feed_positions: { source: string; feed: string; next: number; updated_micros: number };
}

const MIGRATIONS: readonly Migration[] = [{ name: '0001-feeds', up: createTable }];

/** Opens the table, made where it is not there yet. */
export async function openFeeds(database: Database): Promise<FeedTable> {
  const db = (await database.migrate('feeds', MIGRATIONS)).tables<FeedTables>();
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
      await db
        .insertInto('feed_positions')
        .values({ source, feed, next: at, updated_micros: atMicros })
        .onConflict((conflict) => conflict.columns(['source', 'feed']).doNothing())
        .execute();
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
    async restored({ source, feed }) {
      const row = await db
        .selectFrom('feed_positions')
        .select('next')
        .where('source', '=', source)
        .where('feed', '=', feed)
        .where('updated_micros', '=', RESTORED)
        .executeTakeFirst();
      return row?.next;
    },
    async settle({ source, feed }, at, atMicros) {
      if (at === undefined) {
        await db
          .deleteFrom('feed_positions')
          .where('source', '=', source)
          .where('feed', '=', feed)
          .where('updated_micros', '=', RESTORED)
          .execute();
        return;
      }
      await db
        .updateTable('feed_positions')
        .set({ next: at, updated_micros: atMicros })
        .where('source', '=', source)
        .where('feed', '=', feed)
        .where('updated_micros', '=', RESTORED)
        .execute();
    },
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
