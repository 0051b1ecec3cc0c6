// A topic consumed on a real Kafka: each message counts once, through rebalances and a broker that goes away (and through deaths
// at every step: consume-kill.test.ts); what is no row is set aside with the reason, and never in the way.

import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatTimestamp, silentLogger } from '../../src/core/index.ts';
import { parseBrokers } from '../../src/storage/index.ts';
import {
  consume,
  type ConsumeOptions,
  type ConsumeProgress,
  type DeadLetters,
  type MessageStream,
  openDeadLetterFile,
  openDeadLetterTopic,
  openKafkaStream,
} from '../../src/streams/index.ts';
import { readDeadLetters } from '../support/dead-letters.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, type SentMessage, startKafka } from '../support/kafka-server.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { createRandom } from '../support/chance.ts';
import { skipBecause } from '../support/skips.ts';
import { jsonRules } from '../support/stream-rules.ts';

const program = findKafka();
if (program === undefined) skipBecause(`headrace consume: ${WITHOUT_KAFKA}`);

const definitions = eventDefinitions();
const { manifest } = definitions;
/** So that windows hold them, by the clock of now. */
const happened = formatTimestamp(Date.now() * 1000 - 60_000_000);
const eventAt = (n: number, more: object = {}): object => ({ k: 'a', happened, n, ...more });
const message = (n: number, partition = 0): SentMessage => ({ value: JSON.stringify(eventAt(n)), partition });
const textOf = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString();
const NONE: readonly number[] = [];
const sumTo = (end: number): bigint => (BigInt(end) * BigInt(end - 1)) / 2n;

const kinds = onlineStoreKinds().filter(({ name }) => name === 'lmdb');

describe.skipIf(program === undefined).each(kinds)('consume on $name', { timeout: 120_000 }, (kind) => {
  let kafka: KafkaServer;
  let world: IngestionWorld;
  let groups = 0;
  const opened: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    if (program !== undefined) kafka = await startKafka(program);
  }, 90_000);
  afterAll(() => kafka.stop());
  beforeEach(async () => {
    world = await openIngestionWorld(kind);
    world.clock.now = Date.now() * 1000;
  });
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
    await world.close();
  });

  interface Member {
    readonly process: PushProcess;
    readonly stream: MessageStream;
    readonly stop: AbortController;
    readonly done: Promise<ConsumeProgress>;
    /** As it told last. */
    progress(): ConsumeProgress | undefined;
  }
  interface MemberOptions extends Partial<ConsumeOptions> {
    readonly machine?: string;
    readonly group?: string;
    readonly broker?: string;
    /** Puts something before what it is given. */
    readonly before?: (given: Pick<ConsumeOptions, 'stream' | 'feed'>) => Partial<ConsumeOptions>;
  }
  const letters = (): string => join(world.places.objects, '..', 'dead', 'letters.jsonl');
  const lettersOf = () => readDeadLetters(letters());
  const start = async (topic: string, options: MemberOptions = {}): Promise<Member> => {
    const { machine = 'a', group = `g${++groups}`, broker = kafka.broker, before = () => ({}), ...more } = options;
    const process = await world.open({ definitions: () => definitions, machine, lookEveryMs: 50 });
    const address = parseBrokers(broker, 'K');
    const stream = await openKafkaStream({ address, topic, group, sessionTimeoutMs: 2000 });
    const stop = new AbortController();
    let last: ConsumeProgress | undefined;
    const given = {
      stream,
      feed: (partition: number) =>
        process.ingestion.feed({ source: 'events', feed: `kafka/${stream.topicId}/${partition}` }),
    };
    const done = consume({
      ...given,
      deadLetters: openDeadLetterFile(letters(), topic),
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
  const caughtUp = async (topic: string, options: MemberOptions = {}): Promise<ConsumeProgress> =>
    (await start(topic, { isUntilCaughtUp: true, ...options })).done;
  const counted = async () => {
    world.clock.now = Date.now() * 1000;
    const { rows, sum_n } = await world.valuesOf(manifest, 'a');
    return { rows, sum_n };
  };

  it('pushes what the topic holds, and says how far it came', async () => {
    const topic = await kafka.newTopic(2);
    await kafka.send(
      topic,
      Array.from({ length: 50 }, (_, n) => message(n, n % 2)),
    );
    expect(await caughtUp(topic)).toEqual({
      pushed: 50,
      dead: 0,
      partitions: [
        { partition: 0, position: 25, lag: 0 },
        { partition: 1, position: 25, lag: 0 },
      ],
    });
    expect(await counted()).toEqual({ rows: 50n, sum_n: sumTo(50) });
    // Nothing is left for whoever comes next, of whatever group.
    expect(await caughtUp(topic, { machine: 'b' })).toMatchObject({ pushed: 0 });
    expect(await counted()).toEqual({ rows: 50n, sum_n: sumTo(50) });
  });

  it('begins at the end when told so, and stops after so many messages', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(
      topic,
      Array.from({ length: 10 }, (_, n) => message(1000 + n)),
    );
    expect(await caughtUp(topic, { from: 'latest' })).toMatchObject({ pushed: 0 });
    await kafka.send(
      topic,
      Array.from({ length: 20 }, (_, n) => message(n)),
    );
    expect(await caughtUp(topic, { max: 7, machine: 'b' })).toMatchObject({
      pushed: 7,
      partitions: [{ position: 17 }],
    });
    expect(await counted()).toEqual({ rows: 7n, sum_n: sumTo(7) });
    expect(await caughtUp(topic, { machine: 'c', max: 100 })).toMatchObject({ pushed: 13 });
    expect(await counted()).toEqual({ rows: 20n, sum_n: sumTo(20) });
  });

  it('sets aside what is no row, as it came and with the reason, and goes on', async () => {
    const topic = await kafka.newTopic();
    const bad: readonly [SentMessage, RegExp][] = [
      [{ value: '{"k":"a"', key: 'key', headers: { h: 'x' } }, /^it is no JSON/],
      [{ value: null, key: 'gone' }, /^it has no value/],
      [{ value: JSON.stringify(eventAt(1, { n: 'one' })) }, /^n .*"one"/],
      [{ value: JSON.stringify({ happened, n: 1 }) }, /^it has no key for any view: k is missing/],
      [{ value: JSON.stringify({ k: 'a', n: 1 }) }, /^it has no event time: happened is missing/],
      [{ value: JSON.stringify(eventAt(1, { happened: '2999-01-01T00:00:00Z' })) }, /^happened /],
      [{ value: JSON.stringify(eventAt(1, { happened: 'soon' })) }, /^happened /],
      [{ value: Buffer.from([0xff, 0xfe]) }, /^it is no JSON/],
    ];
    await kafka.send(topic, [message(0), ...bad.flatMap(([one], i) => [one, message(i + 1)])]);
    expect(await caughtUp(topic)).toMatchObject({ pushed: 9, dead: 8, partitions: [{ position: 17, lag: 0 }] });
    expect(await counted()).toEqual({ rows: 9n, sum_n: sumTo(9) });
    const kept = lettersOf().sort((a, b) => Number(a['offset']) - Number(b['offset']));
    expect(kept).toHaveLength(8);
    bad.forEach(([one, reason], i) => {
      expect(kept[i]).toMatchObject({ topic, partition: 0, offset: 1 + 2 * i, reason: expect.stringMatching(reason) });
      const base64 = one.value === null ? null : Buffer.from(one.value as string).toString('base64');
      expect(kept[i]?.['value']).toBe(base64);
    });
    expect(kept[0]).toMatchObject({
      key: Buffer.from('key').toString('base64'),
      headers: [['h', Buffer.from('x').toString('base64')]],
    });
  });

  it('sets aside into a topic, which is made when it is first needed', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(topic, [{ value: 'no row', key: 'key', headers: { h: 'x' } }, message(0)]);
    const dead = `${topic}.dead`;
    const address = parseBrokers(kafka.broker, 'K');
    const deadLetters = openDeadLetterTopic({ address, topic: dead, of: topic });
    opened.push(deadLetters);
    expect(await caughtUp(topic, { deadLetters })).toMatchObject({ pushed: 1, dead: 1 });
    const reader = await openKafkaStream({ address, topic: dead, group: 'dead' });
    opened.push(reader);
    let got = await reader.fetch(new Map([[0, 0]]));
    while (got.length === 0) got = await reader.fetch(new Map([[0, 0]]));
    const [letter] = got[0]?.messages ?? [];
    expect([letter?.key, letter?.value].map(textOf)).toEqual(['key', 'no row']);
    expect(Object.fromEntries(letter?.headers.map(([name, value]) => [name, textOf(value)]) ?? [])).toEqual({
      h: 'x',
      'headrace-reason': expect.stringMatching(/^it is no JSON/),
      'headrace-topic': topic,
      'headrace-partition': '0',
      'headrace-offset': '0',
    });
  });

  it('stops when dead letters cannot be written, and nothing is lost', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(topic, [message(0), { value: 'no row' }, message(1)]);
    // A folder is no file.
    const blocked = join(world.places.objects, '..', 'blocked');
    mkdirSync(blocked);
    const error = await caughtUp(topic, { deadLetters: openDeadLetterFile(blocked, topic), patienceMs: 300 }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'HR_DEAD_LETTERS' });
    expect(await caughtUp(topic, { machine: 'b' })).toMatchObject({ dead: 1 });
    expect(await counted()).toEqual({ rows: 2n, sum_n: 1n });
    expect(lettersOf()).toHaveLength(1);
  });

  it('says which messages are gone, and skips them only when told to', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(
      topic,
      Array.from({ length: 10 }, (_, n) => message(n)),
    );
    expect(await caughtUp(topic, { max: 4 })).toMatchObject({ pushed: 4 });
    const admin = kafka.admin();
    await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 6n }] }] } as never);
    await admin.close();
    await expect(caughtUp(topic, { machine: 'b' })).rejects.toMatchObject({
      code: 'HR_STREAM_GAP',
      message: expect.stringMatching(/offsets 4 to 5 of partition 0 were deleted.*--from earliest \(offset 6\)/),
    });
    expect(await caughtUp(topic, { machine: 'c', from: 'earliest' })).toMatchObject({ pushed: 4 });
    expect(await counted()).toEqual({ rows: 8n, sum_n: sumTo(10) - 4n - 5n });
  });

  it('goes on through a broker that dies and comes back, and one that answers nothing for a while', async () => {
    const topic = await kafka.newTopic(2);
    const member = await start(topic);
    await kafka.send(
      topic,
      Array.from({ length: 40 }, (_, n) => message(n, n % 2)),
    );
    await expect.poll(() => counted(), { timeout: 20_000 }).toEqual({ rows: 40n, sum_n: sumTo(40) });
    await kafka.kill();
    await sleep(1500);
    await kafka.start();
    await kafka.send(
      topic,
      Array.from({ length: 40 }, (_, n) => message(40 + n, n % 2)),
    );
    await expect.poll(() => counted(), { timeout: 40_000 }).toEqual({ rows: 80n, sum_n: sumTo(80) });
    kafka.pause();
    await sleep(4000);
    kafka.resume();
    await kafka.send(
      topic,
      Array.from({ length: 20 }, (_, n) => message(80 + n, n % 2)),
    );
    await expect.poll(() => counted(), { timeout: 40_000 }).toEqual({ rows: 100n, sum_n: sumTo(100) });
    member.stop.abort();
    expect(await member.done).toMatchObject({ pushed: 100 });
  });

  it('gives up after as long as it is told to wait, says so, and has lost nothing', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(
      topic,
      Array.from({ length: 10 }, (_, n) => message(n)),
    );
    const member = await start(topic, { patienceMs: 1000 });
    await expect.poll(() => counted(), { timeout: 20_000 }).toMatchObject({ rows: 10n });
    await kafka.kill();
    await expect(member.done).rejects.toMatchObject({ code: 'HR_STREAM_UNAVAILABLE' });
    await kafka.start();
    await kafka.send(topic, [message(10)]);
    await caughtUp(topic, { machine: 'b' });
    expect(await counted()).toEqual({ rows: 11n, sum_n: sumTo(11) });
  });

  it('counts each message once while members of a group come and go', async () => {
    const topic = await kafka.newTopic(6);
    const TOTAL = 3000;
    const sent: Promise<void>[] = [];
    const draw = createRandom(7);
    const members: Member[] = [];
    const join = async (machine: string): Promise<void> => {
      members.push(await start(topic, { machine, group: 'shared' }));
    };
    const leave = async ({ stop, done, stream }: Member): Promise<void> => {
      stop.abort();
      await done;
      await stream.close();
    };
    await join('a');
    for (let round = 0; round < 6; round++) {
      const from = (round * TOTAL) / 6;
      const some = Array.from({ length: TOTAL / 6 }, (_, i) => message(from + i, draw.below(6)));
      sent.push(kafka.send(topic, some));
      await sleep(draw.below(500));
      if (round === 0) await join('b');
      else if (round === 1) await join('c');
      else if (round % 2 === 0) await leave(members.shift() as Member);
      else await join(['a', 'b', 'c'][draw.below(3)] as string);
    }
    await Promise.all(sent);
    await expect
      .poll(() => counted(), { timeout: 60_000, interval: 300 })
      .toEqual({ rows: BigInt(TOTAL), sum_n: sumTo(TOTAL) });
    // And no more comes after.
    await sleep(1500);
    expect(await counted()).toEqual({ rows: BigInt(TOTAL), sum_n: sumTo(TOTAL) });
  });

  it('ends what it began of a partition before it begins with it again', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(topic, [message(0), message(1)]);
    const held = Promise.withResolvers<void>();
    let isOurs = true;
    let [underWay, most, begun] = [0, 0, 0];
    const member = await start(topic, {
      before: ({ stream, feed }) => ({
        stream: { ...stream, assigned: () => (isOurs ? stream.assigned() : NONE) },
        feed: (partition) => {
          const own = feed(partition);
          return {
            ...own,
            async push(...batch) {
              most = Math.max(most, ++underWay);
              const isFirst = ++begun === 1;
              const result = await own.push(...batch);
              // As with a store that is slow: its answer is not there yet.
              if (isFirst) await held.promise;
              underWay--;
              return result;
            },
          };
        },
      }),
    });
    await expect.poll(() => begun, { timeout: 20_000 }).toBe(1);
    isOurs = false;
    await expect.poll(() => member.progress()?.partitions, { timeout: 20_000 }).toEqual([]);
    await kafka.send(topic, [message(2)]);
    isOurs = true;
    await sleep(1500);
    held.resolve();
    await expect.poll(() => counted(), { timeout: 20_000 }).toEqual({ rows: 3n, sum_n: sumTo(3) });
    expect(most).toBe(1);
    member.stop.abort();
    expect(await member.done).toMatchObject({ pushed: 3 });
  });

  it('goes on with partitions that went and came back between two looks', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(topic, [message(0)]);
    /** Looks that find none: the last of one turn and the first of the next, with a fetch before and nothing between. */
    let looks = 0;
    const member = await start(topic, {
      before: ({ stream }) => ({
        stream: {
          ...stream,
          assigned: () => (looks-- > 0 ? NONE : stream.assigned()),
        },
      }),
    });
    await expect.poll(() => counted(), { timeout: 20_000 }).toMatchObject({ rows: 1n });
    looks = 2;
    await expect.poll(() => looks).toBeLessThan(0);
    await kafka.send(topic, [message(1)]);
    await expect.poll(() => counted(), { timeout: 10_000 }).toMatchObject({ rows: 2n });
    member.stop.abort();
    await member.done;
  });

  it('has dead letters of a kind that fails for a while', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(topic, [{ value: 'no row' }, message(0)]);
    let tries = 0;
    const file = openDeadLetterFile(letters(), topic);
    const flaky: DeadLetters = {
      ...file,
      async put(some) {
        if (++tries < 3) return openDeadLetterFile(dirname(world.places.objects), topic).put(some);
        return file.put(some);
      },
    };
    expect(await caughtUp(topic, { deadLetters: flaky })).toMatchObject({ pushed: 1, dead: 1 });
    expect(lettersOf()).toHaveLength(1);
  });
});
