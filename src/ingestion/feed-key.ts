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

/** What a batch has, by its key. */
export function partOfStep({ key, hash }: IdempotencyKey): FeedPart {
  // stepKey wrote it.
  const [, first] = JSON.parse(key.slice(MARK.length)) as [string, number];
  return { first, next: endOfStep({ payloadHash: hash }) };
}

/** Where the batch ends that holds a claim. */
export function endOfStep({ payloadHash }: Pick<Claim, 'payloadHash'>): number {
  return Number(payloadHash.slice(END.length));
}

/** From one position to before another. */
export interface FeedPart {
  readonly first: number;
  readonly next: number;
}

/** One feed, and the parts of it that batches have which hold their claims; those that touch are one. */
export interface FeedParts {
  readonly feed: FeedId;
  readonly parts: readonly FeedPart[];
}

/** Feeds, each once. */
export interface FeedSet {
  /** `part`: of a batch that holds its claim; in whatever order. */
  add(feed: FeedId, part?: FeedPart): void;
  readonly all: Iterable<FeedParts>;
}

export function createFeedSet(): FeedSet {
  const feeds = new Map<string, { readonly feed: FeedId; parts: readonly FeedPart[] }>();
  return {
    add(feed, part) {
      const key = JSON.stringify([feed.source, feed.feed]);
      const known = feeds.get(key) ?? { feed, parts: [] };
      feeds.set(key, known);
      if (part !== undefined) known.parts = withPart(known.parts, part);
    },
    get all() {
      return feeds.values();
    },
  };
}

function withPart(parts: readonly FeedPart[], { first, next }: FeedPart): readonly FeedPart[] {
  const touching = parts.filter((one) => one.first === next || one.next === first);
  const whole = {
    first: Math.min(first, ...touching.map((one) => one.first)),
    next: Math.max(next, ...touching.map((one) => one.next)),
  };
  return [...parts.filter((one) => !touching.includes(one)), whole];
}

function keyOf(feed: string, from: number): string {
  return `${MARK}${JSON.stringify([feed, from])}`;
}
