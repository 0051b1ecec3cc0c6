// A feed: events in order from a place that can be read again, such as a partition of a topic. Each of its batches begins
// where one before it ended. A batch is an entry whose key says where it begins and whose hash says where it ends: of those
// that begin at one place the first to claim it counts, and whoever comes later learns from the claim where to go on.

import type { IdempotencyKey } from '../events/index.ts';
import type { Claim } from '../online/index.ts';
import { claimId } from './claim-desk.ts';

export interface FeedId {
  readonly source: string;
  /** Names the place, the same for whoever reads it. */
  readonly feed: string;
}

/** A batch of a feed. */
export interface FeedStep {
  readonly feed: string;
  readonly from: number;
  readonly to: number;
  /** Where each row lies. */
  readonly places: readonly number[];
}

/** No header of a request can hold it, so no key that is sent is a feed's. */
const MARK = '\u0001feed ';
const END = 'to ';

export function stepKey({ feed }: FeedId, from: number, to: number): IdempotencyKey {
  return { key: keyOf(feed, from), hash: `${END}${to}` };
}

/** The claim that a batch which begins there would make. */
export function stepClaim({ source, feed }: FeedId, from: number): string {
  return claimId(source, keyOf(feed, from));
}

/** The feed that an entry is a batch of; undefined for any other. */
export function feedOf({
  source,
  key,
}: {
  readonly source: string;
  readonly key?: IdempotencyKey;
}): FeedId | undefined {
  if (key?.key.startsWith(MARK) !== true) return undefined;
  // stepKey wrote it.
  const [feed] = JSON.parse(key.key.slice(MARK.length)) as [string, number];
  return { source, feed };
}

/** Where the batch ends that holds a claim. */
export function endOfStep({ payloadHash }: Pick<Claim, 'payloadHash'>): number {
  return Number(payloadHash.slice(END.length));
}

/** Where the batches of one feed end that hold their claims. */
export interface FeedEnd {
  readonly feed: FeedId;
  /** The last of those ends; undefined where none holds its claim. */
  readonly end: number | undefined;
}

/** Feeds, each once. */
export interface FeedSet {
  /** `end`: of a batch that holds its claim. */
  add(feed: FeedId, end?: number): void;
  readonly all: Iterable<FeedEnd>;
}

export function createFeedSet(): FeedSet {
  const feeds = new Map<string, FeedEnd>();
  return {
    add(feed, end) {
      const key = JSON.stringify([feed.source, feed.feed]);
      const before = feeds.get(key)?.end;
      feeds.set(key, { feed, end: end === undefined ? before : Math.max(before ?? end, end) });
    },
    get all() {
      return feeds.values();
    },
  };
}

function keyOf(feed: string, from: number): string {
  return `${MARK}${JSON.stringify([feed, from])}`;
}
