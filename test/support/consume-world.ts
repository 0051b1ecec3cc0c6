// Topics of numbered events consumed by members that come and go, with a push path of their own; for a topic in memory and
// for one of Kafka.

import { join } from 'node:path';
import { formatTimestamp, silentLogger } from '../../src/core/index.ts';
import {
  consume,
  type ConsumeOptions,
  type ConsumeProgress,
  type MessageStream,
  openDeadLetterFile,
} from '../../src/streams/index.ts';
import { readDeadLetters } from './dead-letters.ts';
import { eventDefinitions } from './event-definitions.ts';
import { openIngestionWorld, type PushProcess } from './ingestion-world.ts';
import type { SentMessage } from './kafka-server.ts';
import type { OnlineStoreKind } from './online-stores.ts';
import { jsonRules } from './stream-rules.ts';

const definitions = eventDefinitions();
/** So that windows hold them, by the clock of now. */
const happened = formatTimestamp(Date.now() * 1000 - 60_000_000);

export const eventAt = (n: number, more: object = {}): object => ({ k: 'a', happened, n, ...more });
export const message = (n: number, partition = 0): SentMessage => ({ value: JSON.stringify(eventAt(n)), partition });
export const messages = (from: number, to: number, partitions = 1): SentMessage[] =>
  Array.from({ length: to - from }, (_, i) => message(from + i, (from + i) % partitions));
/** What events from 0 to before `end` count, once each. */
export const countTo = (end: number) => ({ rows: BigInt(end), sum_n: (BigInt(end) * BigInt(end - 1)) / 2n });

export interface Member {
  readonly process: PushProcess;
  readonly stream: MessageStream;
  readonly stop: AbortController;
  readonly done: Promise<ConsumeProgress>;
  /** As it told last. */
  progress(): ConsumeProgress | undefined;
}

export interface MemberOptions extends Partial<ConsumeOptions> {
  readonly machine?: string;
  readonly group?: string;
  /** Puts something before what it is given. */
  readonly before?: (given: Pick<ConsumeOptions, 'stream' | 'feed'>) => Partial<ConsumeOptions>;
}

/** Opens a member of a group of a topic. */
export type OpenStream = (group: string) => MessageStream | Promise<MessageStream>;

export async function openConsumeWorld(kind: OnlineStoreKind) {
  const world = await openIngestionWorld(kind);
  world.clock.now = Date.now() * 1000;
  const opened: { close(): Promise<void> }[] = [];
  let groups = 0;
  const letters = join(world.places.objects, '..', 'dead', 'letters.jsonl');

  const start = async (open: OpenStream, options: MemberOptions = {}): Promise<Member> => {
    const { machine = 'a', group = `g${++groups}`, before = () => ({}), ...more } = options;
    const process = await world.open({ definitions: () => definitions, machine, lookEveryMs: 50 });
    const stream = await open(group);
    const stop = new AbortController();
    let last: ConsumeProgress | undefined;
    const given = {
      stream,
      feed: (partition: number) =>
        process.ingestion.feed({ source: 'events', feed: `kafka/${stream.topicId}/${partition}` }),
    };
    const done = consume({
      ...given,
      deadLetters: openDeadLetterFile(letters, 'topic'),
      sift: (rows) => process.ingestion.sift('events', rows),
      rules: await jsonRules(definitions, 'events'),
      patienceMs: 20_000,
      logger: silentLogger,
      signal: stop.signal,
      onProgress: (progress) => (last = progress),
      ...more,
      ...before(given),
    });
    done.catch(() => {});
    opened.push({
      async close() {
        stop.abort();
        await done.catch(() => {});
        await stream.close();
        await process.close();
      },
    });
    return { process, stream, stop, done, progress: () => last };
  };

  return {
    world,
    letters,
    lettersOf: () => readDeadLetters(letters),
    start,
    /** One that ends with what the topic holds now. */
    caughtUp: async (open: OpenStream, options: MemberOptions = {}): Promise<ConsumeProgress> =>
      (await start(open, { isUntilCaughtUp: true, ...options })).done,
    async leave({ stop, done, stream }: Member): Promise<void> {
      stop.abort();
      await done;
      await stream.close();
    },
    async counted() {
      world.clock.now = Date.now() * 1000;
      const { rows, sum_n } = await world.valuesOf(definitions.manifest, 'a');
      return { rows, sum_n };
    },
    async close() {
      for (const one of opened.splice(0).reverse()) await one.close();
      await world.close();
    },
  };
}
