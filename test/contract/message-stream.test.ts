// What a message stream promises, on a real Kafka.

import { setTimeout as sleep } from 'node:timers/promises';
import { Producer } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseBrokers } from '../../src/storage/index.ts';
import { type FetchedPart, type MessageStream, openKafkaStream } from '../../src/streams/index.ts';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../support/kafka-server.ts';
import { skipBecause } from '../support/skips.ts';

const program = findKafka();
if (program === undefined) skipBecause(`message streams: ${WITHOUT_KAFKA}`);

const textOf = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString();

describe.skipIf(program === undefined)('a message stream of Kafka', { timeout: 60_000 }, () => {
  let kafka: KafkaServer;
  const streams: MessageStream[] = [];
  beforeAll(async () => {
    if (program !== undefined) kafka = await startKafka(program);
  }, 90_000);
  afterAll(() => kafka.stop());
  afterEach(async () => {
    for (const stream of streams.splice(0)) await stream.close();
  });
  const open = async (topic: string, group = 'g', broker = kafka.broker): Promise<MessageStream> => {
    const stream = await openKafkaStream({ address: parseBrokers(broker, 'K'), topic, group, sessionTimeoutMs: 2000 });
    streams.push(stream);
    return stream;
  };
  /** Once it is a member: a group that is new takes a moment. */
  const joined = async (stream: MessageStream, known?: readonly number[]): Promise<readonly number[]> => {
    for (;;) {
      const now = await stream.reassigned(known).catch(() => undefined);
      if (now !== undefined) return now;
    }
  };
  /** Reads on until so many messages came. */
  const readUntil = async (
    stream: MessageStream,
    places: Map<number, number>,
    count: number,
  ): Promise<FetchedPart[]> => {
    const all: FetchedPart[] = [];
    for (let got = 0; got < count; ) {
      const parts = await stream.fetch(places);
      for (const part of parts) {
        places.set(part.partition, part.next);
        got += part.messages.length;
        all.push(part);
      }
    }
    return all;
  };
  const texts = (parts: readonly FetchedPart[]) =>
    parts.flatMap(({ messages }) => messages.map(({ value }) => textOf(value)));

  it('gives messages in order from any place, as they came', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(topic, [
      { value: 'a', key: 'k', headers: { h: 'x' }, timestamp: 1_700_000_000_123n },
      { value: null, key: 'gone' },
      { value: 'c' },
    ]);
    const stream = await open(topic);
    expect(await joined(stream)).toEqual([0]);
    const [part] = await readUntil(stream, new Map([[0, 0]]), 3);
    expect(part).toMatchObject({ partition: 0, next: 3, start: 0, end: 3 });
    expect(part?.messages[0]).toMatchObject({ offset: 0, timestampMs: 1_700_000_000_123 });
    expect(part?.messages.map(({ value, key }) => [value?.toString(), key?.toString()])).toEqual([
      ['a', 'k'],
      [undefined, 'gone'],
      ['c', undefined],
    ]);
    expect(part?.messages[0]?.headers.map(([name, value]) => [name, value?.toString()])).toEqual([['h', 'x']]);
    expect(texts(await readUntil(stream, new Map([[0, 2]]), 1))).toEqual(['c']);
    expect(await stream.bounds([0])).toEqual(new Map([[0, { start: 0, end: 3 }]]));
    expect(await stream.fetch(new Map([[0, 3]]))).toEqual([]);
  });

  it('gives what was committed of transactions, whatever lies between', async () => {
    const topic = await kafka.newTopic();
    const producer = new Producer({
      clientId: 't',
      bootstrapBrokers: [kafka.broker],
      transactionalId: 'tx',
      idempotent: true,
    });
    const value = (text: string) => ({ topic, partition: 0, value: Buffer.from(text) });
    // Longer than one fetch gives of a partition, so that what ends it comes in a later one.
    const long = 'x'.repeat(200_000);
    for (const [name, isKept] of [
      ['a', true],
      ['b', false],
      ['c', true],
      ['d', false],
    ] as const) {
      const transaction = await producer.beginTransaction();
      for (let i = 0; i < (name === 'd' ? 30 : 2); i++)
        await transaction.send({ messages: [value(name === 'd' ? `d${i}${long}` : `${name}${i}`)], acks: -1 });
      await (isKept ? transaction.commit() : transaction.abort());
    }
    await producer.close();
    await kafka.send(topic, [{ value: 'end' }]);
    const parts = await readUntil(await open(topic), new Map([[0, 0]]), 5);
    expect(texts(parts)).toEqual(['a0', 'a1', 'c0', 'c1', 'end']);
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('reads what %s compressed', async (compression) => {
    const topic = await kafka.newTopic();
    const producer = new Producer({ clientId: 'c', bootstrapBrokers: [kafka.broker] });
    const messages = Array.from({ length: 500 }, (_, i) => ({ topic, value: Buffer.from(`m${i}`) }));
    await producer.send({ messages, compression, acks: -1 });
    await producer.close();
    expect(texts(await readUntil(await open(topic), new Map([[0, 0]]), 500))).toEqual(
      messages.map(({ value }) => value.toString()),
    );
  });

  it('shares the partitions among the members of a group, and gives those of one that left to the others', async () => {
    const topic = await kafka.newTopic(4);
    const one = await open(topic);
    const all = await joined(one);
    expect(all).toEqual([0, 1, 2, 3]);
    const other = await open(topic);
    const half = await joined(one, all);
    const rest = await joined(other);
    expect([...half, ...rest].sort()).toEqual([0, 1, 2, 3]);
    expect(half).toHaveLength(2);
    streams.splice(streams.indexOf(other), 1);
    await other.close();
    expect(await joined(one, half)).toEqual([0, 1, 2, 3]);
  });

  it('tells the group how far it is', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(topic, [{ value: 'a' }]);
    const stream = await open(topic, 'told');
    await joined(stream);
    await stream.commit(new Map([[0, 1]]));
    const admin = kafka.admin();
    const [group] = await admin.listConsumerGroupOffsets({ groups: ['told'] });
    await admin.close();
    expect(group?.topics[0]?.partitions[0]?.committedOffset).toBe(1n);
  });

  it('says that a place is gone', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(topic, [{ value: 'a' }]);
    const stream = await open(topic);
    await expect(stream.fetch(new Map([[0, 7]]))).rejects.toMatchObject({
      code: 'HR_STREAM_GAP',
      message: expect.stringMatching(/no offset 7 in partition 0/),
    });
  });

  it('says that there is no such topic, or that it is another by now', async () => {
    await expect(open('nothing')).rejects.toMatchObject({ code: 'HR_STREAM_TOPIC' });
    const topic = await kafka.newTopic();
    const stream = await open(topic);
    const admin = kafka.admin();
    await admin.deleteTopics({ topics: [topic] });
    await expect
      .poll(() => stream.fetch(new Map([[0, 0]])).catch((error: { code: string }) => error.code), {
        timeout: 15_000,
        interval: 300,
      })
      .toBe('HR_STREAM_TOPIC');
    await admin.close();
  });

  it('signs in, and says who may not, without a word of the password', async () => {
    const topic = await kafka.newTopic();
    const { broker, user, password } = kafka.guarded;
    const stream = await open(topic, 'g', `kafka://${user}:${password}@${broker}`);
    expect(stream.topicId).toMatch(/\w/);
    const wrong = await open(topic, 'g', `kafka://${user}:hunter2@${broker}`).catch((error: Error) => error);
    expect(wrong).toMatchObject({ code: 'HR_STREAM_REFUSED' });
    expect(String(wrong)).not.toMatch(/hunter2/);
  });

  it('says that nobody answers, and goes on once somebody does', async () => {
    const topic = await kafka.newTopic();
    await kafka.send(topic, [{ value: 'a' }]);
    const stream = await open(topic);
    const partitions = await joined(stream);
    await kafka.kill();
    await expect(stream.fetch(new Map([[0, 0]]))).rejects.toMatchObject({ code: 'HR_STREAM_UNAVAILABLE' });
    await expect(open(topic)).rejects.toMatchObject({ code: 'HR_STREAM_UNAVAILABLE' });
    await sleep(500);
    await kafka.start();
    await expect
      .poll(() => stream.fetch(new Map([[0, 0]])).then(texts, () => []), { timeout: 20_000, interval: 200 })
      .toEqual(['a']);
    // Still a member, or again.
    await expect.poll(() => stream.assigned(), { timeout: 20_000 }).toEqual(partitions);
    await expect
      .poll(
        async () => {
          await stream.commit(new Map([[0, 1]]));
          const admin = kafka.admin();
          const groups = await admin.listConsumerGroupOffsets({ groups: ['g'] }).catch(() => []);
          await admin.close();
          return groups[0]?.topics.find(({ name }) => name === topic)?.partitions[0]?.committedOffset;
        },
        { timeout: 20_000, interval: 500 },
      )
      .toBe(1n);
  });
});
