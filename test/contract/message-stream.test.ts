// What a message stream promises, on a real Kafka; what does not need a broker, on the topic in memory too.

import { Producer } from '@platformatic/kafka';
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseBrokers } from '../../src/storage/index.ts';
import { type FetchedPart, type MessageStream, openDeadLetterTopic, openKafkaStream } from '../../src/streams/index.ts';
import { findKafka, type KafkaProgram, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type SentMessage, startKafka } from '../support/kafka-server.ts';
import { createMemoryTopic } from '../support/memory-stream.ts';
import { sharedKafka } from '../support/shared-servers.ts';
import { skipBecause } from '../support/skips.ts';
import { fullDescribe, rows } from '../support/tier.ts';

const hasKafka = findKafka() !== undefined;
if (!hasKafka) skipBecause(`message streams: ${WITHOUT_KAFKA}`);

let names = 0;
const newName = (): string => `stream-${++names}`;
const textOf = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString();

interface Topic {
  send(messages: readonly SentMessage[]): Promise<void>;
  open(group?: string): Promise<MessageStream>;
  committed(group: string): Promise<number | undefined>;
}

const streams: MessageStream[] = [];
afterEach(async () => {
  for (const stream of streams.splice(0)) await stream.close();
});
const opened = (stream: MessageStream): MessageStream => {
  streams.push(stream);
  return stream;
};

const inMemory = async (partitions?: number): Promise<Topic> => {
  const topic = createMemoryTopic(partitions);
  return {
    send: async (messages) => topic.send(messages),
    open: async (group) => opened(topic.open(group)),
    committed: async (group) => topic.committed(group).get(0),
  };
};
const openKafka = async (broker: string, topic: string, group = 'g'): Promise<MessageStream> =>
  opened(await openKafkaStream({ address: parseBrokers(broker, 'K'), topic, group, sessionTimeoutMs: 2000 }));
const inKafka = async (partitions?: number): Promise<Topic> => {
  const kafka = await sharedKafka();
  const name = await kafka.newTopic(partitions, newName());
  return {
    send: (messages) => kafka.send(name, messages),
    open: (group) => openKafka(kafka.broker, name, group),
    async committed(group) {
      const admin = kafka.admin();
      const [found] = await admin.listConsumerGroupOffsets({ groups: [group] });
      await admin.close();
      return Number(found?.topics[0]?.partitions[0]?.committedOffset);
    },
  };
};

/** Once it is a member: a group that is new takes a moment. */
const joined = async (stream: MessageStream, known?: readonly number[]): Promise<readonly number[]> => {
  for (;;) {
    const now = await stream.reassigned(known).catch(() => undefined);
    if (now !== undefined) return now;
  }
};
/** Reads on until so many messages came. */
const readUntil = async (stream: MessageStream, places: Map<number, number>, count: number): Promise<FetchedPart[]> => {
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

describe.each([
  { place: 'in memory', newTopic: inMemory },
  ...(hasKafka ? [{ place: 'of Kafka', newTopic: inKafka }] : []),
])('a message stream $place', ({ newTopic }) => {
  it('gives messages in order from any place, as they came', async () => {
    const topic = await newTopic();
    await topic.send([
      { value: 'a', key: 'k', headers: { h: 'x' }, timestamp: 1_700_000_000_123n },
      { value: null, key: 'gone' },
      { value: 'c' },
    ]);
    const stream = await topic.open();
    expect(await joined(stream)).toEqual([0]);
    const [part] = await readUntil(stream, new Map([[0, 0]]), 3);
    expect(part).toMatchObject({ partition: 0, next: 3, start: 0, end: 3 });
    expect(part?.messages[0]).toMatchObject({ offset: 0, timestampMs: 1_700_000_000_123 });
    const shown = part?.messages.map(({ value, key }) => `${String(value)} ${String(key)}`);
    expect(shown).toEqual(['a k', 'null gone', 'c null']);
    expect(part?.messages[0]?.headers.map(([name, value]) => [name, value?.toString()])).toEqual([['h', 'x']]);
    expect(texts(await readUntil(stream, new Map([[0, 2]]), 1))).toEqual(['c']);
    expect(await stream.bounds([0])).toEqual(new Map([[0, { start: 0, end: 3 }]]));
    expect(await stream.fetch(new Map([[0, 3]]))).toEqual([]);
  });

  it('shares the partitions among the members of a group, and gives those of one that left to the others', async () => {
    const topic = await newTopic(4);
    const one = await topic.open();
    const all = await joined(one);
    expect(all).toEqual([0, 1, 2, 3]);
    const other = await topic.open();
    const half = await joined(one, all);
    const rest = await joined(other);
    expect([...half, ...rest].sort()).toEqual([0, 1, 2, 3]);
    expect(half).toHaveLength(2);
    streams.splice(streams.indexOf(other), 1);
    await other.close();
    expect(await joined(one, half)).toEqual([0, 1, 2, 3]);
  });

  it('tells the group how far it is', async () => {
    const topic = await newTopic();
    await topic.send([{ value: 'a' }]);
    const stream = await topic.open('told');
    await joined(stream);
    await stream.commit(new Map([[0, 1]]));
    expect(await topic.committed('told')).toBe(1);
  });

  it('says that a place is gone', async () => {
    const topic = await newTopic();
    await topic.send([{ value: 'a' }]);
    const stream = await topic.open();
    await expect(stream.fetch(new Map([[0, 7]]))).rejects.toMatchObject({
      code: 'HR_STREAM_GAP',
      message: expect.stringMatching(/no offset 7 in partition 0/),
    });
  });
});

describe.skipIf(!hasKafka)('a message stream of Kafka', () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  beforeAll(async () => {
    kafka = await sharedKafka();
  });
  const open = (topic: string, group?: string, broker = kafka.broker) => openKafka(broker, topic, group);
  const newTopic = (partitions?: number) => kafka.newTopic(partitions, newName());

  it('gives what was committed of transactions, whatever lies between', async () => {
    const topic = await newTopic();
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

  it.each(rows<'gzip' | 'snappy' | 'lz4' | 'zstd'>(['zstd'], ['gzip', 'snappy', 'lz4']))(
    'reads what %s compressed',
    async (compression) => {
      const topic = await newTopic();
      const producer = new Producer({ clientId: 'c', bootstrapBrokers: [kafka.broker] });
      const messages = Array.from({ length: 500 }, (_, i) => ({ topic, value: Buffer.from(`m${i}`) }));
      await producer.send({ messages, compression, acks: -1 });
      await producer.close();
      expect(texts(await readUntil(await open(topic), new Map([[0, 0]]), 500))).toEqual(
        messages.map(({ value }) => value.toString()),
      );
    },
  );

  it('says that there is no such topic, or that it is another by now', async () => {
    await expect(open('nothing')).rejects.toMatchObject({ code: 'HR_STREAM_TOPIC' });
    const topic = await newTopic();
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
    const topic = await newTopic();
    const { broker, user, password } = kafka.guarded;
    const stream = await open(topic, 'g', `kafka://${user}:${password}@${broker}`);
    expect(stream.topicId).toMatch(/\w/);
    const wrong = await open(topic, 'g', `kafka://${user}:hunter2@${broker}`).catch((error: Error) => error);
    expect(wrong).toMatchObject({ code: 'HR_STREAM_REFUSED' });
    expect(String(wrong)).not.toMatch(/hunter2/);
  });

  it('takes dead letters as they came, with the reason', async () => {
    const topic = await newTopic();
    await kafka.send(topic, [{ value: 'no row', key: 'key', headers: { h: 'x' } }]);
    const [part] = await readUntil(await open(topic), new Map([[0, 0]]), 1);
    const dead = `${topic}.dead`;
    const letters = openDeadLetterTopic({ address: parseBrokers(kafka.broker, 'K'), topic: dead, of: topic });
    for (const message of part?.messages ?? []) {
      const put = () => letters.put([{ partition: 0, message, reason: 'it is no JSON' }]);
      // The broker knows of a topic that was just made a moment later; until then it is the caller who tries again.
      await expect
        .poll(() =>
          put().then(
            () => 'kept',
            (error: { code: string }) => error.code,
          ),
        )
        .toBe('kept');
    }
    await letters.close();
    const [kept] = await readUntil(await open(dead), new Map([[0, 0]]), 1);
    const [letter] = kept?.messages ?? [];
    expect([letter?.key, letter?.value].map((bytes) => textOf(bytes ?? null))).toEqual(['key', 'no row']);
    expect(Object.fromEntries(letter?.headers.map(([name, value]) => [name, textOf(value)]) ?? [])).toEqual({
      h: 'x',
      'headrace-reason': 'it is no JSON',
      'headrace-topic': topic,
      'headrace-partition': '0',
      'headrace-offset': '0',
    });
  });
});

// twin: test/integration/consume.test.ts > goes on once a topic that was away is back
fullDescribe('a message stream of a broker that dies', () => {
  it.skipIf(!hasKafka)('says that nobody answers, and goes on once somebody does', async () => {
    const kafka = await startKafka(findKafka() as KafkaProgram);
    onTestFinished(() => kafka.stop());
    const open = (name: string) => openKafka(kafka.broker, name);
    const topic = await kafka.newTopic();
    await kafka.send(topic, [{ value: 'a' }]);
    const stream = await open(topic);
    const partitions = await joined(stream);
    await kafka.kill();
    await expect(stream.fetch(new Map([[0, 0]]))).rejects.toMatchObject({ code: 'HR_STREAM_UNAVAILABLE' });
    await expect(open(topic)).rejects.toMatchObject({ code: 'HR_STREAM_UNAVAILABLE' });
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
