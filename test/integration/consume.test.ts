// A topic consumed, in memory: each message counts once, whoever comes, goes or is away (and whoever dies at a step:
// crash-steps.test.ts); what is no row is set aside with the reason, and never in the way.

import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DeadLetters, openDeadLetterFile, openKafkaStream } from '../../src/streams/index.ts';
import { createRandom } from '../support/chance.ts';
import { parseBrokers } from '../../src/storage/index.ts';
import {
  countTo,
  eventAt,
  type Member,
  message,
  messages,
  openConsumeWorld,
  type OpenStream,
} from '../support/consume-world.ts';
import type { SentMessage } from '../support/kafka-server.ts';
import { createMemoryTopic } from '../support/memory-stream.ts';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type OnlineStoreKind, onlineStoreKinds } from '../support/online-stores.ts';
import { sharedKafka } from '../support/shared-servers.ts';
import { skipBecause } from '../support/skips.ts';
import { rows } from '../support/tier.ts';

const NONE: readonly number[] = [];
/** A net: what is waited for comes at once. */
const NET = { timeout: 60_000, interval: 5 };

interface Topic {
  readonly open: OpenStream;
  send(messages: readonly SentMessage[]): unknown;
}
const hasKafka = findKafka() !== undefined;
if (!hasKafka) skipBecause(`consuming a topic of Kafka: ${WITHOUT_KAFKA}`);
const ofKafka = async (): Promise<Topic> => {
  const kafka = await sharedKafka();
  const topic = await kafka.newTopic(6, `consumed-${process.pid}`);
  const address = parseBrokers(kafka.broker, 'K');
  const open: OpenStream = (group) => openKafkaStream({ address, topic, group, sessionTimeoutMs: 2000 });
  return { open, send: (some) => kafka.send(topic, some) };
};
const groups = rows<[string, () => Promise<Topic>]>(
  [['in memory', async () => createMemoryTopic(6)]],
  hasKafka ? [['of Kafka', ofKafka]] : [],
);

describe('consume', () => {
  let own: Awaited<ReturnType<typeof openConsumeWorld>>;
  beforeEach(async () => {
    own = await openConsumeWorld(onlineStoreKinds()[0] as OnlineStoreKind);
  });
  afterEach(() => own.close());

  it('pushes what the topic holds, and says how far it came', async () => {
    const topic = createMemoryTopic(2);
    topic.send(messages(0, 50, 2));
    expect(await own.caughtUp(topic.open)).toEqual({
      pushed: 50,
      dead: 0,
      partitions: [
        { partition: 0, position: 25, lag: 0 },
        { partition: 1, position: 25, lag: 0 },
      ],
    });
    expect(await own.counted()).toEqual(countTo(50));
    // Nothing is left for whoever comes next, of whatever group.
    expect(await own.caughtUp(topic.open, { machine: 'b' })).toMatchObject({ pushed: 0 });
    expect(await own.counted()).toEqual(countTo(50));
  });

  it('begins at the end when told so, and stops after so many messages', async () => {
    const topic = createMemoryTopic();
    topic.send(messages(1000, 1010));
    expect(await own.caughtUp(topic.open, { from: 'latest' })).toMatchObject({ pushed: 0 });
    topic.send(messages(0, 20));
    expect(await own.caughtUp(topic.open, { max: 7, machine: 'b' })).toMatchObject({
      pushed: 7,
      partitions: [{ position: 17 }],
    });
    expect(await own.counted()).toEqual(countTo(7));
    expect(await own.caughtUp(topic.open, { machine: 'c', max: 100 })).toMatchObject({ pushed: 13 });
    expect(await own.counted()).toEqual(countTo(20));
  });

  it('sets aside what is no row, as it came and with the reason, and goes on', async () => {
    const topic = createMemoryTopic();
    const bad: readonly [SentMessage, RegExp][] = [
      [{ value: '{"k":"a"', key: 'key', headers: { h: 'x' } }, /^it is no JSON/],
      [{ value: null, key: 'gone' }, /^it has no value/],
      [{ value: JSON.stringify(eventAt(1, { n: 'one' })) }, /^n .*"one"/],
      [{ value: JSON.stringify(eventAt(1, { k: undefined })) }, /^it has no key for any view: k is missing/],
      [{ value: JSON.stringify(eventAt(1, { happened: undefined })) }, /^it has no event time: happened is missing/],
      [{ value: JSON.stringify(eventAt(1, { happened: '2999-01-01T00:00:00Z' })) }, /^happened /],
      [{ value: JSON.stringify(eventAt(1, { happened: 'soon' })) }, /^happened /],
      [{ value: Buffer.from([0xff, 0xfe]) }, /^it is no JSON/],
    ];
    topic.send([message(0), ...bad.flatMap(([one], i) => [one, message(i + 1)])]);
    expect(await own.caughtUp(topic.open)).toMatchObject({
      pushed: 9,
      dead: 8,
      partitions: [{ position: 17, lag: 0 }],
    });
    expect(await own.counted()).toEqual(countTo(9));
    const kept = own.lettersOf().sort((a, b) => Number(a['offset']) - Number(b['offset']));
    expect(kept).toHaveLength(8);
    bad.forEach(([one, reason], i) => {
      expect(kept[i]).toMatchObject({
        topic: 'topic',
        partition: 0,
        offset: 1 + 2 * i,
        reason: expect.stringMatching(reason),
      });
      const base64 = one.value === null ? null : Buffer.from(one.value as string).toString('base64');
      expect(kept[i]?.['value']).toBe(base64);
    });
    expect(kept[0]).toMatchObject({
      key: Buffer.from('key').toString('base64'),
      headers: [['h', Buffer.from('x').toString('base64')]],
    });
  });

  it('stops when dead letters cannot be written, and nothing is lost', async () => {
    const topic = createMemoryTopic();
    topic.send([message(0), { value: 'no row' }, message(1)]);
    // A folder is no file.
    const blocked = join(own.world.places.objects, '..', 'blocked');
    mkdirSync(blocked);
    const error = await own
      .caughtUp(topic.open, { deadLetters: openDeadLetterFile(blocked, 'topic'), patienceMs: 300 })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'HR_DEAD_LETTERS' });
    expect(await own.caughtUp(topic.open, { machine: 'b' })).toMatchObject({ dead: 1 });
    expect(await own.counted()).toEqual({ rows: 2n, sum_n: 1n });
    expect(own.lettersOf()).toHaveLength(1);
  });

  it('says which messages are gone, and skips them only when told to', async () => {
    const topic = createMemoryTopic();
    topic.send(messages(0, 10));
    expect(await own.caughtUp(topic.open, { max: 4 })).toMatchObject({ pushed: 4 });
    topic.deleteRecords(0, 6);
    await expect(own.caughtUp(topic.open, { machine: 'b' })).rejects.toMatchObject({
      code: 'HR_STREAM_GAP',
      message: expect.stringMatching(/offsets 4 to 5 of partition 0 were deleted.*--from earliest \(offset 6\)/),
    });
    expect(await own.caughtUp(topic.open, { machine: 'c', from: 'earliest' })).toMatchObject({ pushed: 4 });
    expect(await own.counted()).toEqual({ rows: 8n, sum_n: 36n });
  });

  it('gives up after as long as it is told to wait, says so, and has lost nothing', async () => {
    const topic = createMemoryTopic();
    topic.send(messages(0, 10));
    const member = await own.start(topic.open, { patienceMs: 300 });
    await expect.poll(() => own.counted(), NET).toMatchObject({ rows: 10n });
    topic.isAway = true;
    await expect(member.done).rejects.toMatchObject({ code: 'HR_STREAM_UNAVAILABLE' });
    topic.isAway = false;
    topic.send([message(10)]);
    await own.caughtUp(topic.open, { machine: 'b' });
    expect(await own.counted()).toEqual(countTo(11));
  });

  it('goes on once a topic that was away is back', async () => {
    const topic = createMemoryTopic(2);
    const member = await own.start(topic.open);
    topic.send(messages(0, 40, 2));
    await expect.poll(() => own.counted(), NET).toEqual(countTo(40));
    topic.isAway = true;
    topic.send(messages(40, 80, 2));
    await expect.poll(() => topic.refused, NET).toBeGreaterThan(2);
    topic.isAway = false;
    await expect.poll(() => own.counted(), NET).toEqual(countTo(80));
    member.stop.abort();
    expect(await member.done).toMatchObject({ pushed: 80 });
  });

  it.each(groups)(
    'counts each message once while members of a group come and go, %s',
    async (_, newTopic) => {
      const topic = await newTopic();
      const draw = createRandom(7);
      const members: Member[] = [];
      const join = async (machine: string): Promise<void> => {
        members.push(await own.start(topic.open, { machine, group: 'shared' }));
      };
      await join('a');
      for (let round = 0; round < 6; round++) {
        const from = 100 * round;
        await topic.send(Array.from({ length: 100 }, (_, i) => message(from + i, draw.below(6))));
        // In the middle of the round's messages.
        await expect.poll(async () => Number((await own.counted()).rows), NET).toBeGreaterThan(from);
        if (round === 0) await join('b');
        else if (round === 1) await join('c');
        else if (round % 2 === 0) await own.leave(members.shift() as Member);
        else await join(['a', 'b', 'c'][draw.below(3)] as string);
      }
      await expect.poll(() => own.counted(), NET).toEqual(countTo(600));
      for (const member of members) await own.leave(member);
      // And no more comes after.
      expect(await own.caughtUp(topic.open, { machine: 'd' })).toMatchObject({ pushed: 0 });
      expect(await own.counted()).toEqual(countTo(600));
    },
    120_000,
  );

  it('ends what it began of a partition before it begins with it again', async () => {
    const topic = createMemoryTopic();
    topic.send([message(0), message(1)]);
    const held = Promise.withResolvers<void>();
    let isOurs = true;
    let [underWay, most, begun, looks] = [0, 0, 0, 0];
    const member = await own.start(topic.open, {
      before: ({ stream, feed }) => ({
        stream: { ...stream, assigned: () => (looks++, isOurs ? stream.assigned() : NONE) },
        feed: (partition) => {
          const given = feed(partition);
          return {
            ...given,
            async push(...batch) {
              most = Math.max(most, ++underWay);
              const isFirst = ++begun === 1;
              const result = await given.push(...batch);
              // As with a store that is slow: its answer is not there yet.
              if (isFirst) await held.promise;
              underWay--;
              return result;
            },
          };
        },
      }),
    });
    await expect.poll(() => begun, NET).toBe(1);
    isOurs = false;
    await expect.poll(() => member.progress()?.partitions, NET).toEqual([]);
    topic.send([message(2)]);
    const before = looks;
    isOurs = true;
    await expect.poll(() => looks, NET).toBeGreaterThan(before);
    for (let turn = 0; turn < 100; turn++) await setImmediate();
    held.resolve();
    await expect.poll(() => own.counted(), NET).toEqual(countTo(3));
    expect(most).toBe(1);
    member.stop.abort();
    expect(await member.done).toMatchObject({ pushed: 3 });
  });

  it('goes on with partitions that went and came back between two looks', async () => {
    const topic = createMemoryTopic();
    topic.send([message(0)]);
    /** Looks that find none: the last of one turn and the first of the next, with a fetch before and nothing between. */
    let looks = 0;
    const member = await own.start(topic.open, {
      before: ({ stream }) => ({ stream: { ...stream, assigned: () => (looks-- > 0 ? NONE : stream.assigned()) } }),
    });
    await expect.poll(() => own.counted(), NET).toMatchObject({ rows: 1n });
    looks = 2;
    await expect.poll(() => looks, NET).toBeLessThan(0);
    topic.send([message(1)]);
    await expect.poll(() => own.counted(), NET).toMatchObject({ rows: 2n });
    member.stop.abort();
    await member.done;
  });

  it('takes a partition that another member has read on while it asked where that stands', async () => {
    const topic = createMemoryTopic();
    topic.send(messages(0, 2));
    let asked = 0;
    const progress = await own.caughtUp(topic.open, {
      machine: 'a',
      before: ({ feed }) => ({
        feed: (partition) => ({
          ...feed(partition),
          async position() {
            if (++asked > 1) return feed(partition).position();
            await setImmediate();
            topic.send(messages(2, 5));
            await own.caughtUp(topic.open, { machine: 'b' });
            return feed(partition).position();
          },
        }),
      }),
    });
    expect(progress).toMatchObject({ pushed: 0, partitions: [{ position: 5 }] });
    expect(await own.counted()).toEqual(countTo(5));
  });

  it('has dead letters of a kind that fails for a while', async () => {
    const topic = createMemoryTopic();
    topic.send([{ value: 'no row' }, message(0)]);
    let tries = 0;
    const file = openDeadLetterFile(own.letters, 'topic');
    const flaky: DeadLetters = {
      ...file,
      async put(some) {
        if (++tries < 3) return openDeadLetterFile(dirname(own.world.places.objects), 'topic').put(some);
        return file.put(some);
      },
    };
    expect(await own.caughtUp(topic.open, { deadLetters: flaky })).toMatchObject({ pushed: 1, dead: 1 });
    expect(own.lettersOf()).toHaveLength(1);
  });
});
