// Consumes a topic into a source: a member of a group reads its partitions and pushes them. That each message counts once
// rests on the feeds, whatever the group does: two members may be at work on one partition for a while, and do no harm.

import { setTimeout as delay } from 'node:timers/promises';
import { HeadraceError, type Logger } from '../core/index.ts';
import type { Feed } from '../ingestion/index.ts';
import type { JsonRow } from './decode/decoder.ts';
import type { DeadLetters, MessageStream } from './message-stream.ts';
import { createPartitionReader, type PartitionReader, type RowRules } from './partition-reader.ts';
import { retrying } from './retrying.ts';

export interface ConsumeOptions {
  readonly stream: MessageStream;
  readonly deadLetters: DeadLetters;
  /** Of a partition. */
  readonly feed: (partition: number) => Feed;
  readonly sift: (rows: readonly JsonRow[]) => Promise<ReadonlyMap<number, string>>;
  /** By which messages become rows now. */
  readonly rules: () => RowRules;
  /**
   * Where to begin a partition that nobody began, `earliest` when left out; and, when it is said, where to go on where the
   * next messages are gone.
   */
  readonly from?: 'earliest' | 'latest';
  /** Stops after so many messages. */
  readonly max?: number;
  /** Stops at what the partitions held when it got them. */
  readonly isUntilCaughtUp?: boolean;
  /** How long what fails is tried again. */
  readonly patienceMs: number;
  readonly logger: Logger;
  /** Ends it: what is under way is pushed and kept. */
  readonly signal: AbortSignal;
  /** Called every second, and at the end. */
  readonly onProgress?: (progress: ConsumeProgress) => void;
}

export interface ConsumeProgress {
  /** Rows that this process pushed. */
  readonly pushed: number;
  /** Messages that it set aside. */
  readonly dead: number;
  readonly partitions: readonly PartitionProgress[];
}

export interface PartitionProgress {
  readonly partition: number;
  /** Where the next batch begins. */
  readonly position: number;
  /** Messages that the topic has beyond that, those that are none included. */
  readonly lag: number;
}

const TELL_EVERY_MS = 1000;
const BOUNDS_EVERY_MS = 5000;
const STOP_LIMIT_MS = 10_000;
/** Where nothing can be fetched: no partition is ours, or all that are have enough. */
const IDLE_MS = 20;

/**
 * Resolves with what was done once it has come to its end. Throws what could not be mended by trying again: nothing is lost
 * by it, and who begins anew goes on from there.
 */
export async function consume(options: ConsumeOptions): Promise<ConsumeProgress> {
  const { stream, logger, onProgress } = options;
  const stopping = new AbortController();
  const signal = AbortSignal.any([options.signal, stopping.signal]);
  const patience = { limitMs: options.patienceMs, logger, signal };
  const retry = <T>(what: string, work: () => Promise<T>): Promise<T> => retrying(what, work, patience);
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    // Whoever stops does not wait until all works again.
    if (!options.signal.aborted) failure ??= { error };
    stopping.abort();
  };
  let left = options.max ?? Infinity;
  const counts = { pushed: 0, dead: 0 };
  const readers = new Map<number, PartitionReader>();
  /** Of partitions that are not ours any more, until what they began has ended. */
  const leaving = new Map<number, PartitionReader>();
  /** Where each was when it was told of last. */
  const told = new Map<number, number>();
  /** What each has to reach. */
  const goals = new Map<number, number>();

  const open = async (partition: number): Promise<PartitionReader> => {
    const feed = options.feed(partition);
    // One that comes back: what was begun of it is under way, and a writer takes one batch from one place at a time.
    await leaving.get(partition)?.idle();
    const { at, end } = await retry(`partition ${partition}`, () => placeOf(partition, feed, options));
    goals.set(partition, end);
    const context = {
      partition,
      feed,
      rules: options.rules,
      sift: options.sift,
      deadLetters: options.deadLetters,
      retry,
      take(wanted: number): number {
        const size = Math.min(wanted, left);
        left -= size;
        return size;
      },
      count(more: { readonly pushed: number; readonly dead: number }): void {
        counts.pushed += more.pushed;
        counts.dead += more.dead;
      },
      failed: fail,
    };
    return createPartitionReader(context, at, end);
  };

  const tell = async (): Promise<void> => {
    const moved = [...readers.values()].filter(({ partition, at }) => told.get(partition) !== at);
    await Promise.all(moved.map(({ partition, at }) => options.feed(partition).keep(at)));
    for (const { partition, at } of moved) told.set(partition, at);
    // The group is told of what has been read, so that a transaction's marker at the end is no lag.
    await stream.commit(new Map(moved.map(({ partition, reached }) => [partition, reached])));
  };

  const take = async (assigned: readonly number[]): Promise<void> => {
    for (const [partition, reader] of readers) {
      if (assigned.includes(partition)) continue;
      reader.stop();
      leaving.set(partition, reader);
      void reader.idle().then(() => leaving.get(partition) === reader && leaving.delete(partition));
      readers.delete(partition);
      told.delete(partition);
      goals.delete(partition);
    }
    const fresh = assigned.filter((partition) => !readers.has(partition));
    for (const reader of await Promise.all(fresh.map(open))) readers.set(reader.partition, reader);
    logger.info({ partitions: assigned }, 'partitions of the topic are ours');
  };

  const isDone = (): boolean =>
    left === 0 ||
    (options.isUntilCaughtUp === true &&
      [...readers.values()].every(({ partition, reached }) => reached >= (goals.get(partition) ?? 0)));

  const progress = (): ConsumeProgress => ({
    ...counts,
    partitions: [...readers.values()]
      .map(({ partition, at, reached, end }) => ({ partition, position: at, lag: Math.max(0, end - reached) }))
      .sort((a, b) => a.partition - b.partition),
  });

  let lastTold = performance.now();
  let lastBounds = lastTold;
  let telling: Promise<void> | undefined;
  const tellNow = (): void => {
    if (telling !== undefined || performance.now() - lastTold < TELL_EVERY_MS) return;
    lastTold = performance.now();
    const refreshBounds = async (): Promise<void> => {
      if (performance.now() - lastBounds < BOUNDS_EVERY_MS) return;
      lastBounds = performance.now();
      for (const [partition, { end }] of await stream.bounds([...readers.keys()])) {
        const reader = readers.get(partition);
        if (reader !== undefined) reader.end = Math.max(reader.end, end);
      }
    };
    // It is told again in a second; where a feed stands can be found without.
    telling = Promise.allSettled([tell(), refreshBounds()]).then(() => {
      telling = undefined;
      onProgress?.(progress());
    });
  };

  /** One look at what is ours, and one fetch. */
  const turn = async (known: readonly number[] | undefined): Promise<readonly number[] | undefined> => {
    const assigned = stream.assigned();
    if (assigned === undefined) return retry('group', () => joined(stream, signal));
    if (!isSame(assigned, known)) await take(assigned);
    tellNow();
    const wanted = [...readers.values()].filter(({ hasRoom }) => hasRoom);
    if (wanted.length === 0 || left === 0) {
      await delay(IDLE_MS, undefined, { signal }).catch(() => {});
      return assigned;
    }
    const from = new Map(wanted.map(({ partition, fetchAt }) => [partition, fetchAt]));
    const parts = await retry('fetch', () => stream.fetch(from));
    for (const part of parts) readers.get(part.partition)?.add(part);
    return assigned;
  };

  try {
    let known: readonly number[] | undefined;
    while (!signal.aborted) {
      const taken = await turn(known);
      // What was taken, whatever is ours by now: the next turn sees what is other.
      known = taken ?? known;
      if (taken !== undefined && stream.assigned() === taken && isDone()) break;
    }
  } catch (error) {
    fail(error);
  }
  const all = [...readers.values(), ...leaving.values()];
  for (const reader of all) if (left > 0 || failure !== undefined) reader.stop();
  const idle = Promise.all(all.map((reader) => reader.idle()));
  await Promise.race([idle, delay(STOP_LIMIT_MS, undefined, { ref: false })]);
  await telling;
  await tell().catch(() => {});
  onProgress?.(progress());
  if (failure !== undefined) throw failure.error;
  return progress();
}

async function joined(stream: MessageStream, signal: AbortSignal): Promise<undefined> {
  const aborted = new Promise<undefined>((done) =>
    signal.addEventListener('abort', () => done(undefined), { once: true }),
  );
  await Promise.race([stream.reassigned(undefined), aborted]);
  return undefined;
}

/** Where a partition's feed stands, begun or moved past what is gone as the options say. */
async function placeOf(
  partition: number,
  feed: Feed,
  { stream, from, logger }: Pick<ConsumeOptions, 'stream' | 'from' | 'logger'>,
): Promise<{ readonly at: number; readonly end: number }> {
  const kept = await feed.position();
  // Asked after: another member may read and push what comes meanwhile, and the feed would stand past an earlier end.
  const { start, end } = (await stream.bounds([partition])).get(partition) ?? { start: 0, end: 0 };
  const at = kept ?? (await feed.begin(from === 'latest' ? end : start));
  if (at >= start && at <= end) return { at, end };
  if (at > end)
    throw new HeadraceError(
      'HR_STREAM_GAP',
      `partition ${partition} was pushed up to offset ${at}, and the topic ends at ${end}: it was cut back. Write what comes next into a new topic`,
    );
  if (from === undefined)
    throw new HeadraceError(
      'HR_STREAM_GAP',
      `offsets ${at} to ${start - 1} of partition ${partition} were deleted before they were read. Go on with --from earliest (offset ${start}) or --from latest (offset ${end})`,
    );
  const to = from === 'latest' ? end : start;
  const { until = to } = await feed.push([], at, to);
  logger.warn({ partition, from: at, to: until }, 'messages that are gone were skipped');
  return { at: until, end };
}

function isSame(one: readonly number[], other: readonly number[] | undefined): boolean {
  return other !== undefined && one.length === other.length && one.every((partition, at) => partition === other[at]);
}
