// Event logs in a real topic when something goes wrong: processes killed or stopped at any moment, brokers killed, paused,
// started again, messages that others wrote, partitions that run out.
// twin: test/contract/event-log.test.ts > an event log with its registry on $database and its segments on $store
// twin: test/integration/crash-steps.test.ts > a process that dies at any step, on $name,

import { setTimeout as delay } from 'node:timers/promises';
import { Producer } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { type EventLog, type LogEntry, type LogWriter, openEventLog, type WriterRow } from '../../src/events/index.ts';
import { packEntry } from '../../src/events/records/log-record.ts';
import { openBrokerLink } from '../../src/events/kafka/broker-link.ts';
import { packKey } from '../../src/events/kafka/log-message.ts';
import { transactionalIdOf } from '../../src/events/kafka/partition-appender.ts';
import { nextEpoch, produce } from '../../src/events/kafka/produce.ts';
import { parseBrokers } from '../../src/storage/index.ts';
import { expectAll, expectNothingLost, type LogChild, settled, startLogChild } from '../support/event-log-child.ts';
import type { ForeverPlaces } from '../support/event-log-forever.ts';
import { type EventLogWorld, eventLogWorld, LEASE_MS, numberRow, numbersOf } from '../support/event-logs.ts';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../support/kafka-server.ts';
import { numbersSource as source } from '../support/numbers-source.ts';
import { skipBecause } from '../support/skips.ts';

const program = findKafka();
if (program === undefined) skipBecause(`event logs in a topic: ${WITHOUT_KAFKA}`);

describe.skipIf(program === undefined)('event logs in a topic', { timeout: 120_000 }, () => {
  let kafka: KafkaServer;
  let world: EventLogWorld;
  let log: EventLog;
  let topic = '';
  let topics = 0;
  const children: LogChild[] = [];

  beforeAll(async () => {
    if (program !== undefined) kafka = await startKafka(program);
  }, 90_000);
  afterAll(() => kafka?.stop());
  beforeEach(async () => {
    topic = `log-${++topics}`;
    world = await eventLogWorld({ topic: { kafka, name: topic } });
    log = await world.open({ segmentBytes: 4000 });
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await child.kill();
    await world.remove();
  });

  const start = (mode: ForeverPlaces['mode']): LogChild => {
    const place = { broker: kafka.broker, name: topic, partitions: 4, leaseMs: LEASE_MS };
    const child = startLogChild(world, mode, { topic: place });
    children.push(child);
    return child;
  };

  /** Looks again until a dead writer is taken over. */
  const adopted = async (by = log): Promise<LogWriter[]> => {
    for (;;) {
      const found = await by.adopt();
      if (found.length > 0) return found;
      await delay(LEASE_MS / 5);
    }
  };
  const collect = (entries: AsyncIterable<LogEntry>): Promise<LogEntry[]> => Array.fromAsync(entries);
  const begun = async (by = log): Promise<LogWriter> => {
    const writer = await by.register();
    await writer.openCut(new Map());
    return writer;
  };
  const own = async (writer: LogWriter) => numbersOf(await collect(writer.entries(1, 1)));
  const shipped = async (writer: number, by = log) => numbersOf(await collect(by.read(writer, 1, 1)));
  const errors = () => world.said.filter(({ level }) => level === 'error').map(({ message }) => message);
  const push = (writer: LogWriter, ...numbers: number[]): Promise<LogEntry> =>
    writer.append({ source, rows: numbers.map(numberRow) });

  it('lose no acknowledged entry to SIGKILL at any moment, and give none twice', () =>
    expectNothingLost(log, 6, () => start('append'), adopted));

  it('acknowledge nothing of a holder that was stopped and taken over, when it wakes', async () => {
    const child = start('hold');
    await child.until(() => child.said.entries.length === 1);
    child.process.kill('SIGSTOP');
    child.process.stdin?.write('once more\n');
    const [writer] = (await adopted()) as [LogWriter];
    expect(await own(writer)).toEqual([0]);
    await push(writer, 50);
    child.process.kill('SIGCONT');
    await child.until(() => child.said.refused.length > 0);
    child.process.stdin?.write('and again\n');
    await child.until(() => child.said.refused.length > 1);
    for (const why of child.said.refused) expect(why).toMatch(/was forgotten, or another process holds its log/);
    expect(child.said.entries).toHaveLength(1);
    await push(writer, 51);
    expect(await own(writer)).toEqual([0, 50, 51]);
    await settled(writer);
    expect(await shipped(writer.writer)).toEqual([0, 50, 51]);
  });

  it('go by a fence that the broker keeps: an older epoch is refused, and what it sent twice is kept once', async () => {
    const writer = await log.register();
    const partition = await partitionOf(writer);
    const link = openBrokerLink(parseBrokers(kafka.broker, 'K'), topic);
    const id = `of-this-test-${topic}`;
    const one = (text: string) => [{ key: Buffer.from('k'), value: Buffer.from(text) }];
    const [old, next] = [await nextEpoch(link, id), await nextEpoch(link, id)];
    expect(next).toEqual({ ...old, producerEpoch: old.producerEpoch + 1 });
    const kept = await produce(link, partition, old, 0, one('a'));
    expect(kept).toMatchObject({ kind: 'kept' });
    expect(await produce(link, partition, old, 0, one('a'))).toEqual(kept);
    expect(await produce(link, partition, next, 0, one('b'))).toMatchObject({ kind: 'kept' });
    for (const sequence of [0, 1])
      expect(await produce(link, partition, old, sequence, one('c'))).toEqual({ kind: 'fenced' });
    expect(await produce(link, partition, next, 5, one('d'))).toMatchObject({ kind: 'lost' });
    expect(await produce(link, partition, next, 1, one('d'))).toMatchObject({ kind: 'kept' });
    await link.close();
  });

  it('leave out what one that was taken over wrote after all, should the broker forget the fence', async () => {
    const dead = await begun();
    await push(dead, 1);
    const [partition, { token }] = [await partitionOf(dead), (await log.writers())[0] as WriterRow];
    await dead.close();
    const [second] = (await adopted()) as [LogWriter];
    await push(second, 2);
    const link = openBrokerLink(parseBrokers(kafka.broker, 'K'), topic);
    const epoch = await nextEpoch(link, transactionalIdOf(topic, partition));
    const value = packEntry(2, { source, rows: [numberRow(666)] });
    const late = { key: packKey({ writer: 1, token, holder: 1 }), value };
    expect(await produce(link, partition, epoch, 0, [late])).toMatchObject({ kind: 'kept' });
    await link.close();
    // The epoch that was taken for this test fences the rightful holder; the next one comes after it.
    await expect(push(second, 3)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    await expect(second.touch()).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    await second.close();
    const [third] = (await adopted()) as [LogWriter];
    await push(third, 4);
    expect(await own(third)).toEqual([1, 2, 4]);
    await settled(third);
    expect(await shipped(1)).toEqual([1, 2, 4]);
  });

  it('take an entry that is larger than a fetch, and refuse one that is larger than the topic takes', async () => {
    const large = (megabytes: number) => ({
      row: { n: 1n, text: 'x'.repeat(megabytes * 2 ** 20), at: 1 },
      knownMicros: 1,
    });
    const writer = await begun();
    await push(writer, 0);
    await writer.append({ source, rows: [large(9)] });
    await push(writer, 2);
    const entries = await collect(writer.entries(1, 1));
    expect(numbersOf(entries)).toEqual([0, 1, 2]);
    expect(String(entries[1]?.rows(source)[0]?.row['text'])).toHaveLength(9 * 2 ** 20);
    await expect(writer.append({ source, rows: [large(65)] })).rejects.toMatchObject({
      code: 'HR_TOO_LARGE',
      message: expect.stringMatching(/max.message.bytes/),
    });
    await push(writer, 3);
    expect(await own(writer)).toEqual([0, 1, 2, 3]);
  });

  it('ship a sealed cut while others append without a pause', async () => {
    const writer = await begun();
    let isDone = false;
    const appending = Array.from({ length: 8 }, async () => {
      while (!isDone) await push(writer, 1);
    });
    await delay(200);
    await writer.openCut(new Map());
    await writer.seal(1, []);
    expect(await writer.ship()).toBe(1);
    isDone = true;
    await Promise.all(appending);
    const counts = [await collect(log.read(writer.writer, 1, 1)), await collect(writer.entries(1, 1))];
    expect(counts[0]?.length).toBe(counts[1]?.length);
    expect(counts[0]?.length).toBeGreaterThan(8);
  });

  it('are left to their holders while those live, though nobody appends', async () => {
    const child = start('hold');
    await child.until(() => child.said.entries.length === 1);
    for (const until = performance.now() + 3 * LEASE_MS; performance.now() < until; await delay(LEASE_MS / 5))
      expect(await log.adopt()).toEqual([]);
    child.process.stdin?.write('once more\n');
    await child.until(() => child.said.entries.length === 2);
  });

  it('count nothing twice and lose nothing while the broker is killed and started under load', async () => {
    const child = start('again');
    await child.until(() => child.said.entries.length > 50);
    for (let time = 0; time < 2; time++) {
      await kafka.kill();
      if (time === 1) await child.until(() => child.said.failed.length > 0);
      await kafka.start();
      const before = child.said.entries.length;
      await child.until(() => child.said.entries.length > before + 20);
    }
    kafka.pause();
    const stopped = child.said.failed.length;
    await child.until(() => child.said.failed.length > stopped);
    kafka.resume();
    const before = child.said.entries.length;
    await child.until(() => child.said.entries.length > before + 20);
    await child.kill();
    const [writer] = (await adopted()) as [LogWriter];
    const entries = await collect(writer.entries(1, 1));
    expectAll(entries, child.said);
    // What failed while its process went on is void; the very last may have been on its way.
    const found = new Set(numbersOf(entries));
    const told = child.said.failed.flatMap(({ first, rows }) => Array.from({ length: rows }, (_, i) => first + i));
    expect(told.filter((n) => found.has(n))).toEqual([]);
    for (const { why } of child.said.failed)
      expect(why).toMatch(/do not answer for topic .* (nothing of this was kept|whether this was kept)/);
    await settled(writer);
    expect(await shipped(writer.writer)).toEqual(numbersOf(entries));
  });

  it('give two that race for the last partitions one each, and the rest a sentence', async () => {
    const racers = await Promise.all(Array.from({ length: 6 }, () => world.open()));
    const outcomes = await Promise.allSettled(racers.map((one) => one.register()));
    const writers = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(writers).toHaveLength(4);
    const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
    for (const why of refused)
      expect(why).toMatch(/all 4 partitions of topic .* are taken .* Add partitions to the topic/);
    for (const [index, writer] of writers.entries()) {
      await writer.openCut(new Map());
      await push(writer, index);
      expect(await own(writer)).toEqual([index]);
    }
    // An ended one's is free again.
    const [first] = writers as [LogWriter];
    await settled(first);
    const again = await begun();
    await push(again, 9);
    expect(await own(again)).toEqual([9]);
    expect(await shipped(first.writer)).toEqual([0]);
  });

  it('fail closed on a message that another wrote among theirs, and name where', async () => {
    const writer = await begun();
    await push(writer, 1);
    const partition = await partitionOf(writer);
    await strangerSends(partition);
    await push(writer, 2);
    await writer.openCut(new Map());
    await writer.seal(1, []);
    await push(writer, 3);
    await writer.ship();
    // The writer knows which messages are its own: what it shipped is read without the other.
    expect(await shipped(writer.writer)).toEqual([1, 2]);
    await strangerSends(partition);
    await push(writer, 4);
    await writer.close();
    expect(await log.adopt()).toEqual([]);
    const where = `topic "${topic}", partition ${partition}, offset 8: a message that Headrace did not write`;
    expect(errors()).toEqual([expect.stringContaining(where)]);
    // Told once, and nothing of it is taken.
    expect(await log.adopt()).toEqual([]);
    expect(errors()).toHaveLength(1);
  });

  const strangerSends = async (partition: number): Promise<void> => {
    const producer = new Producer({ clientId: 'stranger', bootstrapBrokers: [kafka.broker] });
    await producer.send({ messages: [{ topic, partition, value: Buffer.from('hello') }], acks: -1 });
    await producer.close();
  };

  const partitionOf = async ({ writer }: LogWriter): Promise<number> => {
    const row = await world.database
      .tables<{ event_partitions: { writer: number; partition: number } }>()
      .selectFrom('event_partitions')
      .select('partition')
      .where('writer', '=', writer)
      .executeTakeFirstOrThrow();
    return row.partition;
  };

  it('begin at a partition that has a leader, and say so where none that is free has', async () => {
    const other = await kafka.addBroker();
    const name = `led-${topic}`;
    const admin = kafka.admin();
    await admin.createTopics({
      topics: [name],
      assignments: [1, 2].map((broker, partition) => ({ partition, brokers: [broker] })),
      configs: [{ name: 'retention.ms', value: '-1' }],
    });
    await admin.close();
    await other.kill();
    const led = await world.open({ topic: name, patienceMs: 2000 });
    // Until the cluster knows that the other is gone it may be chosen, and fails.
    let first: LogWriter | undefined;
    while (first === undefined) first = await led.register().catch(() => undefined);
    expect(await partitionOf(first)).toBe(0);
    await first.openCut(new Map());
    await push(first, 1);
    expect(await own(first)).toEqual([1]);
    const refusal = () => led.register().then(String, String);
    await expect.poll(refusal, { timeout: 60_000 }).toMatch(/no free partition .* has a leader now/);
    await push(first, 2);
    expect(await own(first)).toEqual([1, 2]);
  });

  it('refuse a topic from which Kafka would delete by itself, and one of another registry', async () => {
    const name = await kafka.newTopic(2, `short-${topic}`);
    await expect((await world.open({ topic: name })).register()).rejects.toMatchObject({
      code: 'HR_CONFIG',
      message: expect.stringMatching(/^pushLog.topic: .*retention.ms=604800000.*--add-config retention.ms=-1/),
    });
    for (let n = 0; n < 4; n++) await log.register();
    const other = await eventLogWorld({ topic: { kafka, name: topic } });
    await expect((await other.open()).register()).rejects.toMatchObject({
      code: 'HR_CONFIG',
      message: expect.stringMatching(/holds the event log of another registry/),
    });
    await other.remove();
  });

  it('go on after logs on disk, which are settled and read as before; who has no topic set is told so', async () => {
    const { path, database, objects } = world;
    const deps = { path, database, objects, clock: systemClock, logger: silentLogger };
    const onDisk = await openEventLog(deps);
    const before = await begun(onDisk);
    await push(before, 1);
    await before.close();
    await onDisk.close();
    const [settler] = (await log.adopt()) as [LogWriter];
    expect(await own(settler)).toEqual([1]);
    await settled(settler);
    const after = await begun();
    await push(after, 2);
    await settled(after);
    const read = (from: EventLog) => Promise.all([1, 2].map((writer) => shipped(writer, from)));
    expect(await read(log)).toEqual([[1], [2]]);
    await log.remove(new Map([[1, 1]]));
    expect(await read(log)).toEqual([[], [2]]);
    expect(await Array.fromAsync(objects.list('events/'))).toEqual([]);
    const again = await openEventLog(deps);
    await expect(read(again)).rejects.toMatchObject({
      code: 'HR_CONFIG',
      message: expect.stringMatching(/the events of writer 2 lie in a Kafka topic: set pushLog.topic/),
    });
    await again.close();
  });

  it('sign in where the brokers want it', async () => {
    const { broker, user, password } = kafka.guarded;
    const guarded = await world.open({ brokers: parseBrokers(`kafka://${user}:${password}@${broker}`, 'K') });
    const writer = await begun(guarded);
    await push(writer, 1);
    expect(await own(writer)).toEqual([1]);
    const wrong = await world.open({ brokers: parseBrokers(`kafka://${user}:hunter2@${broker}`, 'K') });
    await expect(wrong.register()).rejects.toMatchObject({
      code: 'HR_STORAGE_UNAVAILABLE',
      message: expect.not.stringMatching(/hunter2/),
    });
  });
});
