// From where a feed stood to where it stands: from claim to claim, each of which says where the next batch begins. Done
// before a sealed cut's claims get their end, so that what the walk comes to is never older than what was counted.

import type { Clock } from '../core/index.ts';
import type { StoreWriter } from '../online/index.ts';
import { endOfStep, type FeedId, type FeedParts, stepClaim } from './feed-key.ts';
import type { FeedTable } from './feed-table.ts';

export interface FeedWalk {
  readonly feeds: FeedTable;
  readonly clock: Clock;
}

/** Where the next batch begins; kept. Undefined for a feed that did not begin. */
export async function walkFeed(
  { feeds, clock }: FeedWalk,
  store: Pick<StoreWriter, 'claims'>,
  feed: FeedId,
): Promise<number | undefined> {
  const kept = await feeds.position(feed);
  if (kept === undefined) return undefined;
  let at = kept;
  for (;;) {
    const [claim] = await store.claims([stepClaim(feed, at)]);
    if (claim === undefined) break;
    at = endOfStep(claim);
  }
  if (at > kept) await feeds.advance(feed, at, clock.nowMicros());
  return at;
}

/** All of them. Without a table there is no feed. */
export async function walkFeeds(
  deps: { readonly feeds?: FeedTable; readonly clock: Clock },
  store: Pick<StoreWriter, 'claims'>,
  feeds: Iterable<FeedParts>,
): Promise<void> {
  const { feeds: table, clock } = deps;
  if (table === undefined) return;
  for (const { feed } of feeds) await walkFeed({ feeds: table, clock }, store, feed);
}
