// Where each feed stood at the end of each cut, noted before the cut is sealed: so that of any moment of the registry it is known
// where a feed stands by the events that are shipped. Where its reader stands is further on, and in a backup of that moment
// would leave out what lay between the two.

import type { Kysely } from 'kysely';
import { shippedCuts } from '../events/index.ts';
import type { RowsOwner } from '../storage/index.ts';
import type { FeedSet } from './feed-key.ts';
import type { FeedTable, FeedTables } from './feed-table.ts';

export interface CutPlace {
  readonly writer: number;
  readonly cut: number;
}

/** Nothing that the cut holds of the feeds is decided after it. Without a table there is no feed. */
export async function noteFeeds(table: FeedTable | undefined, place: CutPlace, feeds: FeedSet): Promise<void> {
  for (const { feed, end } of feeds.all) if (end !== undefined) await table?.note(feed, place, end);
}

/** At another place a feed stands where the events of it end that came along: its claims did not. */
export const feedRows: RowsOwner = {
  table: 'feed_cuts',
  async settle(opened) {
    // The feeds' own tables are in it.
    const db = opened as Kysely<FeedTables>;
    const feeds = await db.selectFrom('feed_positions').select(['source', 'feed']).execute();
    for (const { source, feed } of feeds) {
      const next = await shippedEnd(db, source, feed);
      if (next === undefined) continue;
      await db
        .updateTable('feed_positions')
        .set({ next })
        .where('source', '=', source)
        .where('feed', '=', feed)
        .execute();
    }
  },
};

/** Where the events of a feed end that every machine can read; notes that tell of less are dropped. */
export async function shippedEnd(db: Kysely<FeedTables>, source: string, feed: string): Promise<number | undefined> {
  // It reads another owner’s tables of the same database.
  const shipped = await shippedCuts(db as unknown as Kysely<unknown>);
  const rows = await db
    .selectFrom('feed_cuts')
    .select(['writer', 'cut', 'next'])
    .where('source', '=', source)
    .where('feed', '=', feed)
    .execute();
  const told = rows.filter(({ writer, cut }) => writer === BEGUN.writer || cut <= (shipped.get(writer) ?? 0));
  if (told.length === 0) return undefined;
  const end = Math.max(...told.map(({ next }) => next));
  for (const { writer, cut, next } of told) {
    if (next === end) continue;
    await db
      .deleteFrom('feed_cuts')
      .where('source', '=', source)
      .where('feed', '=', feed)
      .where('writer', '=', writer)
      .where('cut', '=', cut)
      .execute();
  }
  return end;
}

/** Where a feed began is of no writer. */
export const BEGUN: CutPlace = { writer: 0, cut: 0 };
