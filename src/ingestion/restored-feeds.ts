// Feeds whose places came out of a backup. A place there may be ahead of the log beside it, by what writers took after they had
// shipped, and claims are not there at all: the restored log says up to where a feed counts, and whoever goes on reads on there.

import type { Kysely } from 'kysely';
import type { Clock } from '../core/index.ts';
import type { CutContents, EventLog } from '../events/index.ts';
import type { RowsOwner } from '../storage/index.ts';
import { endOfStep, type FeedId, feedOf } from './feed-key.ts';
import { type FeedTable, type FeedTables, RESTORED } from './feed-table.ts';

export const feedRows: RowsOwner = { table: 'feed_positions', settle: markRestored };

async function markRestored(opened: Kysely<unknown>): Promise<void> {
  // Its own table is in it.
  await (opened as Kysely<FeedTables>).updateTable('feed_positions').set({ updated_micros: RESTORED }).execute();
}

export interface RestoredFeedDeps {
  readonly feeds: FeedTable;
  readonly log: Pick<EventLog, 'writers' | 'contents' | 'read'>;
  readonly clock: Clock;
}

/** Puts a feed of a backup where the log ends for it; once, and nothing of any other. Throws what the log and the registry say. */
export async function settleRestored({ feeds, log, clock }: RestoredFeedDeps, feed: FeedId): Promise<void> {
  const kept = await feeds.restored(feed);
  if (kept === undefined) return;
  const end = await endInLog(log, feed);
  // Retention takes the log away when it is old: then the place is older still than what could be missing.
  const isRemoved = async (): Promise<boolean> => (await log.writers()).some(({ removed }) => removed > 0);
  const at = end ?? ((await isRemoved()) ? kept : undefined);
  await feeds.settle(feed, at, clock.nowMicros());
}

/** Where the last batch of the feed ends that was shipped. */
async function endInLog(log: RestoredFeedDeps['log'], feed: FeedId): Promise<number | undefined> {
  const byWriter = new Map<number, CutContents[]>();
  for (const one of await log.contents()) {
    if (one.rows?.has(feed.source) === false) continue;
    byWriter.set(one.writer, [...(byWriter.get(one.writer) ?? []), one]);
  }
  let end: number | undefined;
  for (const [writer, cuts] of byWriter) {
    // A writer only goes on: the newest of its cuts that has any has the last.
    for (const { cut } of cuts.toSorted((a, b) => b.cut - a.cut)) {
      const found = await endInCut(log, writer, cut, feed);
      if (found === undefined) continue;
      end = Math.max(end ?? found, found);
      break;
    }
  }
  return end;
}

async function endInCut(
  log: RestoredFeedDeps['log'],
  writer: number,
  cut: number,
  { source, feed }: FeedId,
): Promise<number | undefined> {
  let end: number | undefined;
  for await (const entry of log.read(writer, cut, cut, source)) {
    if (entry.key === undefined || feedOf(entry)?.feed !== feed) continue;
    const at = endOfStep({ payloadHash: entry.key.hash });
    end = Math.max(end ?? at, at);
  }
  return end;
}
