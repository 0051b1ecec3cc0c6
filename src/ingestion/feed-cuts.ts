// What each cut holds of each feed, noted before the cut is sealed: so that of any moment of the registry it is known where a
// feed stands by the events that are shipped. Where its reader stands is further on, and in a backup of that moment would leave
// out what lay between the two.

import type { Kysely } from 'kysely';
import { RELEASE, takeUpRelease } from '../checks/index.ts';
import { shippedCuts } from '../events/index.ts';
import type { RowsOwner } from '../storage/index.ts';
import type { FeedPart, FeedSet } from './feed-key.ts';
import type { FeedTable, FeedTables } from './feed-table.ts';

export interface CutPlace {
  readonly writer: number;
  readonly cut: number;
}

/** Parts that are shipped become one where they touch, of no cut any more; so does the place where a feed began. */
export const NO_CUT: CutPlace = { writer: 0, cut: 0 };

/** Nothing that the cut holds of the feeds is decided after it. Without a table there is no feed. */
export async function noteFeeds(table: FeedTable | undefined, place: CutPlace, feeds: FeedSet): Promise<void> {
  for (const { feed, parts } of feeds.all) if (parts.length > 0) await table?.note(feed, place, parts);
}

/** At another place a feed stands where the events of it end that came along: its claims did not. */
export const feedRows: RowsOwner = {
  table: 'feed_cuts',
  async settle(opened) {
    // The feeds' own tables are in it.
    const db = opened as Kysely<FeedTables>;
    const feeds = await db.selectFrom('feed_positions').select(['source', 'feed']).execute();
    for (const { source, feed } of feeds) {
      const shipped = await shippedParts(db, source, feed);
      if (shipped.length === 0) continue;
      const end = Math.max(...shipped.map(({ next }) => next));
      if (end === 0 && feed.startsWith(RELEASE)) await takeUpRelease(opened, feed);
      await db
        .updateTable('feed_positions')
        .set({ next: end })
        .where('source', '=', source)
        .where('feed', '=', feed)
        .execute();
      await db.deleteFrom('feed_cuts').where('source', '=', source).where('feed', '=', feed).execute();
      await insertParts(db, source, feed, merged(shipped));
    }
  },
};

/** Makes one of parts that touch, of those that every machine can read: so there are few, however long a feed goes on. */
export async function mergeShipped(db: Kysely<FeedTables>, source: string, feed: string): Promise<void> {
  const shipped = await shippedParts(db, source, feed);
  const parts = merged(shipped);
  if (parts.length === shipped.length) return;
  for (const { writer, cut, first } of shipped) {
    await db
      .deleteFrom('feed_cuts')
      .where('source', '=', source)
      .where('feed', '=', feed)
      .where('writer', '=', writer)
      .where('cut', '=', cut)
      .where('first', '=', first)
      .execute();
  }
  await insertParts(db, source, feed, parts);
}

async function shippedParts(db: Kysely<FeedTables>, source: string, feed: string) {
  // It reads another owner’s tables of the same database.
  const shipped = await shippedCuts(db as unknown as Kysely<unknown>);
  const rows = await db
    .selectFrom('feed_cuts')
    .selectAll()
    .where('source', '=', source)
    .where('feed', '=', feed)
    .orderBy('first')
    .execute();
  // Of writer 0 is what no cut holds, by `NO_CUT`: its cut is 0.
  return rows.filter(({ writer, cut }) => cut <= (shipped.get(writer) ?? 0));
}

async function insertParts(
  db: Kysely<FeedTables>,
  source: string,
  feed: string,
  parts: readonly FeedPart[],
): Promise<void> {
  const rows = parts.map(({ first, next }) => ({ source, feed, ...NO_CUT, first, next }));
  if (rows.length > 0) await db.insertInto('feed_cuts').values(rows).execute();
}

/** Parts that touch or overlap as one; `parts` ascend by where they begin. */
export function merged(parts: readonly FeedPart[]): FeedPart[] {
  const found: FeedPart[] = [];
  for (const { first, next } of parts) {
    const last = found.at(-1);
    if (last === undefined || first > last.next) found.push({ first, next });
    else found[found.length - 1] = { first: last.first, next: Math.max(last.next, next) };
  }
  return found;
}
