// The event log's contract, on each database and object store that can be had.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EventLog, LogEntry, LogWriter } from '../../src/events/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { openObjectStore, parseBrokers } from '../../src/storage/index.ts';
import { type TestDatabases, testDatabases } from '../support/databases.ts';
import { type EventLogWorld, eventLogWorld, numberRow, numbersOf } from '../support/event-logs.ts';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { numbersSource as source } from '../support/numbers-source.ts';
import { sharedKafka, sharedS3 } from '../support/shared-servers.ts';
import { skipBecause } from '../support/skips.ts';
import { rows } from '../support/tier.ts';

const collect = (entries: AsyncIterable<LogEntry>): Promise<LogEntry[]> => Array.fromAsync(entries);
const placeOf = ({ writer, cut, offset, count, source }: LogEntry) => ({ writer, cut, offset, count, source });
const VIEW = new Map([['delays@1a2b', [-Infinity, 1_000_000]]]);

const hasKafka = findKafka() !== undefined;
if (!hasKafka) skipBecause(`event log contract in a topic: ${WITHOUT_KAFKA}`);

type Store = 'files' | 'S3' | 'Kafka';
const on = (databases: TestDatabases, ...stores: Store[]) =>
  stores.map((store) => ({ databases, database: databases.name, store }));
const [sqlite, ...others] = testDatabases('event log contract') as [TestDatabases, ...TestDatabases[]];
const topic: Store[] = hasKafka ? ['Kafka'] : [];
// Each database once, each store once; Kafka with each database.
const machines = rows(
  on(sqlite, 'files', ...topic),
  others.flatMap((database) => on(database, 'S3', ...topic)),
);

let topics = 0;

describe.each(machines)('an event log with its registry on $database and its segments on $store', (machine) => {
  const s3 = machine.store === 'S3' ? sharedS3('event log contract') : undefined;
  let world: EventLogWorld;
  let log: EventLog;

  beforeAll(() => machine.databases.start());
  afterAll(() => machine.databases.stop());
  beforeEach(async () => {
    const url = await machine.databases.newUrl();
    if (machine.store === 'Kafka')
      world = await eventLogWorld({ url, topic: { kafka: await sharedKafka(), name: `contract-${++topics}` } });
    else if (s3 === undefined) world = await eventLogWorld({ url });
    else {
      const server = await s3;
      const { endpoint, accessKeyId, secretAccessKey } = server;
      const bucket = `s3://${await server.newBucket()}?endpoint=${encodeURIComponent(endpoint)}`;
      world = await eventLogWorld({ url, objects: openObjectStore(bucket, { accessKeyId, secretAccessKey }) });
    }
    log = await world.open();
  });
  afterEach(() => world.remove());

  const begun = async (by = log): Promise<LogWriter> => {
    const writer = await by.register();
    await writer.openCut(VIEW);
    return writer;
  };
  const read = async (by: EventLog, ...of: Parameters<EventLog['read']>) => numbersOf(await collect(by.read(...of)));
  const own = async (by: LogWriter, from: number, to: number) => numbersOf(await collect(by.entries(from, to)));
  const adoptOne = async (): Promise<LogWriter> => ((await log.adopt()) as [LogWriter])[0];
  const push = (writer: LogWriter, ...numbers: number[]): Promise<LogEntry> =>
    writer.append({ source, rows: numbers.map(numberRow) });

  it('registers writers under rising numbers, and lists them', async () => {
    const [a, b] = [await log.register(), await (await world.open()).register()];
    expect([a.writer, b.writer, a.holder, a.cut]).toEqual([1, 2, 1, 0]);
    await b.openCut(VIEW);
    const rows = await log.writers();
    const shown = rows.map(({ number, state, holder, cut, shipped }) => [number, state, holder, cut, shipped].join());
    expect(shown).toEqual(['1,open,1,0,0', '2,open,1,1,0']);
    expect(new Set(rows.map(({ token }) => token)).size).toBe(2);
  });

  it('has a row for each writer that the registry lost: open, with nothing shipped, until it is forgotten', async () => {
    const lasts: number[] = [];
    const seen = (number: number) => ({ number, onForgotten: (last: number) => void lasts.push(last) });
    await log.register();
    const shown = async () =>
      (await log.writers()).map(({ number, state, shipped }) => [number, state, shipped].join());
    for (const number of [0, 1, 3, 3, 2]) await log.noteLost(seen(number));
    expect(await shown()).toEqual(['1,open,0', '2,open,0', '3,open,0']);
    expect((await log.register(seen(5))).writer).toBe(6);
    await log.forget(5);
    expect(await shown()).toEqual(['1,open,0', '2,open,0', '3,open,0', '4,open,0', '5,forgotten,0', '6,open,0']);
    expect(lasts).toEqual([1, 3]);
  });

  it('has none for the writers of another registry, whose store this one takes over', async () => {
    await log.register();
    await log.register({ number: 7, isOfOther: true, onForgotten() {} });
    expect((await log.writers()).map(({ number }) => number)).toEqual([1, 8]);
  });

  it('gives back entries by cut, with rising offsets that count rows', async () => {
    const writer = await begun();
    const first = await push(writer, 1, 2);
    const second = await writer.append({ source, rows: [], key: { key: 'k', hash: 'h' } });
    await writer.openCut(new Map());
    const third = await push(writer, 3);
    const places = [first, second, third].map(({ cut, offset, count }) => [cut, offset, count].join());
    expect(places).toEqual(['1,0,2', '1,2,0', '2,3,1']);
    const entries = await collect(writer.entries(1, 2));
    expect(entries.map(placeOf)).toEqual([first, second, third].map(placeOf));
    expect(entries[1]?.key).toEqual({ key: 'k', hash: 'h' });
    expect(numbersOf(entries)).toEqual([1, 2, 3]);
    expect(numbersOf([first, second, third])).toEqual([1, 2, 3]);
    expect(await own(writer, 2, 2)).toEqual([3]);
    const voids = undefined;
    expect(await writer.cuts()).toEqual([1, 2].map((cut) => ({ cut, view: cut === 1 ? VIEW : new Map(), voids })));
  });

  it('puts an entry into the cut that is open at the call, however the calls are mixed', async () => {
    const writer = await log.register();
    const opening = [writer.openCut(VIEW)];
    const entries: Promise<LogEntry>[] = [];
    for (let n = 0; n < 60; n++) {
      entries.push(push(writer, n));
      if (n % 20 === 19) opening.push(writer.openCut(VIEW));
    }
    expect(await Promise.all(opening)).toEqual([1, 2, 3, 4]);
    const appended = await Promise.all(entries);
    expect(appended.map(({ cut }) => cut)).toEqual(appended.map((_, n) => Math.floor(n / 20) + 1));
    expect(await own(writer, 2, 2)).toEqual(Array.from({ length: 20 }, (_, n) => 20 + n));
  });

  it('shows every machine the shipped cuts alone, without their void entries', async () => {
    const writer = await begun();
    await push(writer, 1);
    const lost = await push(writer, 2);
    await push(writer, 3);
    expect(await writer.ship()).toBe(0);
    await writer.openCut(VIEW);
    await push(writer, 4);
    await writer.seal(1, [lost.offset]);
    expect(await read(log, writer.writer, 1, 9)).toEqual([]);
    expect(await writer.ship()).toBe(1);
    expect(await writer.ship()).toBe(1);
    const elsewhere = await world.open({ path: `${world.path}-of-another-machine` });
    expect(await read(elsewhere, writer.writer, 1, 9)).toEqual([1, 3]);
    expect((await elsewhere.writers())[0]).toMatchObject({ cut: 2, shipped: 1 });
    // The writer itself still sees all of it, the shipped ones too.
    expect(await own(writer, 1, 2)).toEqual([1, 2, 3, 4]);
    expect((await writer.cuts()).map(({ voids }) => voids)).toEqual([new Set([lost.offset]), undefined]);
    await push(writer, 5);
    await writer.seal(2, []);
    await writer.ship();
    expect(await read(elsewhere, writer.writer, 2, 2)).toEqual([4, 5]);
  });

  it('counts the rows that no machine can read yet, as their writer last reported', async () => {
    const writer = await begun();
    const waiting = async () => (await log.waiting()).get(writer.writer);
    for (const n of [1, 2, 3]) await push(writer, n);
    expect(await waiting()).toBe(0);
    await writer.touch();
    expect(await waiting()).toBe(3);
    await writer.openCut(VIEW);
    await push(writer, 4);
    await writer.seal(1, []);
    await writer.ship();
    expect(await waiting()).toBe(1);
    await writer.openCut(VIEW);
    await writer.seal(2, []);
    await writer.ship();
    expect(await waiting()).toBe(0);
    await writer.seal(3, []);
    await writer.ship();
    await writer.finish();
    expect(await waiting()).toBeUndefined();
  });

  it('ships segments as they fill, and reads cuts that lie across several', async () => {
    const small = await world.open({ segmentBytes: 600 });
    const writer = await begun(small);
    for (let n = 0; n < 30; n++) {
      await push(writer, n);
      if (n % 10 === 9) await writer.openCut(VIEW);
    }
    for (const cut of [1, 2, 3]) await writer.seal(cut, []);
    expect(await writer.ship()).toBe(3);
    expect(await world.kept()).toBeGreaterThan(4);
    const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);
    for (const entries of [small.read(writer.writer, 2, 3), writer.entries(2, 3)])
      expect(numbersOf(await collect(entries))).toEqual(range(10, 30));
    expect(await read(small, writer.writer, 3, 3)).toEqual(range(20, 30));
  });

  it('refuses an entry outside of a cut, a seal out of order, and an end before all is shipped', async () => {
    const writer = await log.register();
    await expect(push(writer, 1)).rejects.toMatchObject({ code: 'HR_INTERNAL' });
    await writer.openCut(VIEW);
    await push(writer, 1);
    await expect(writer.seal(2, [])).rejects.toMatchObject({ code: 'HR_INTERNAL' });
    await expect(writer.end()).rejects.toMatchObject({ code: 'HR_INTERNAL' });
    await writer.seal(1, []);
    await expect(push(writer, 2)).rejects.toMatchObject({ code: 'HR_INTERNAL' });
    await expect(writer.end()).rejects.toMatchObject({ code: 'HR_INTERNAL' });
    await writer.ship();
    await writer.end();
    expect((await log.writers())[0]).toMatchObject({ state: 'ended', cut: 1, shipped: 1 });
    expect(await log.adopt()).toEqual([]);
    expect(await read(log, writer.writer, 1, 1)).toEqual([1]);
  });

  it('hands a log that was left to whoever adopts it, with the holder raised, and to one alone', async () => {
    const first = await begun();
    await push(first, 1, 2);
    await first.openCut(VIEW);
    await first.seal(1, [0]);
    await first.ship();
    await push(first, 3);
    expect(await log.adopt()).toEqual([]);
    await first.close();
    const others = await Promise.all([world.open(), world.open()]);
    const adopted = (await Promise.all(others.map((other) => other.adopt()))).flat();
    expect(adopted).toHaveLength(1);
    const [settler] = adopted as [LogWriter];
    expect([settler.writer, settler.holder, settler.cut]).toEqual([1, 2, 2]);
    expect(await own(settler, 1, 9)).toEqual([1, 2, 3]);
    expect((await settler.cuts()).map(({ voids }) => voids)).toEqual([new Set([0]), undefined]);
    // It may go on, too.
    expect((await push(settler, 4)).offset).toBe(3);
    await settler.seal(2, []);
    expect(await settler.ship()).toBe(2);
    await settler.end();
    expect(await read(log, 1, 1, 2)).toEqual([3, 4]);
  });

  it('takes over nothing once it is closed, not even a log that it is just adopting', async () => {
    const first = await begun();
    await push(first, 1);
    await first.close();
    const closed = await world.open();
    const adopting = Promise.allSettled([closed.adopt()]);
    await closed.close();
    // At once: the lock is let go by then.
    expect((await log.adopt()).map(({ writer }) => writer)).toEqual([1]);
    expect(await adopting).toMatchObject([{ status: 'rejected', reason: { code: 'HR_STOPPING' } }]);
    await expect(closed.adopt()).rejects.toMatchObject({ code: 'HR_STOPPING' });
    await expect(closed.register()).rejects.toMatchObject({ code: 'HR_STOPPING' });
  });

  it('is settled again when its settler dies after it was ended, until it is let go', async () => {
    const first = await begun();
    await push(first, 1);
    await first.close();
    const settler = await adoptOne();
    await settler.seal(1, []);
    await settler.ship();
    await settler.finish();
    expect((await log.writers())[0]).toMatchObject({ state: 'ended', holder: 2 });
    await expect(push(settler, 2)).rejects.toMatchObject({ code: 'HR_STOPPING' });
    await settler.close();
    const next = await adoptOne();
    expect(next.holder).toBe(3);
    expect(await own(next, 1, 1)).toEqual([1]);
    expect(await next.cuts()).toEqual([{ cut: 1, view: VIEW, voids: new Set() }]);
    await next.end();
    expect(await log.adopt()).toEqual([]);
    expect((await log.writers())[0]?.state).toBe('ended');
  });

  it('forgets a writer that is gone, and leaves its log alone from then on', async () => {
    await expect(log.forget(7)).rejects.toMatchObject({ code: 'HR_UNKNOWN_WRITER' });
    await expect(collect(log.read(7, 1, 1))).rejects.toMatchObject({ code: 'HR_UNKNOWN_WRITER' });
    const writer = await log.register();
    await expect(log.forget(1)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    await writer.close();
    await log.forget(1);
    expect((await log.writers())[0]?.state).toBe('forgotten');
    expect(await log.adopt()).toEqual([]);
  });

  it('stops a writer that was forgotten elsewhere though it lives', async () => {
    const writer = await begun();
    await push(writer, 1);
    await writer.touch();
    await (await world.open({ path: `${world.path}-of-another-machine` })).forget(1);
    await expect(writer.touch()).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    await expect(push(writer, 2)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    await expect(writer.ship()).rejects.toMatchObject({ code: 'HR_CONFLICT' });
  });

  it('removes cuts for every reader at once, and their segments as soon as they hold no other', async () => {
    const writer = await log.register();
    const pushCut = async (cut: number): Promise<void> => {
      await writer.openCut(VIEW);
      const lost = await push(writer, cut, cut);
      await push(writer, cut * 10);
      await writer.seal(cut, [lost.offset]);
    };
    await pushCut(1);
    await writer.ship();
    // These two share a segment.
    await pushCut(2);
    await pushCut(3);
    await writer.ship();
    expect(await read(log, 1, 1, 3)).toEqual([10, 20, 30]);
    const contents = async () => (await log.contents()).map(({ cut, rows }) => [cut, [...(rows ?? [])]]);
    // Void ones are told too.
    expect(await contents()).toEqual([1, 2, 3].map((cut) => [cut, [['numbers', 3]]]));
    await log.remove(new Map([[1, 1]]));
    await log.remove(new Map([[1, 1]]));
    expect(await read(log, 1, 1, 3)).toEqual([20, 30]);
    // Its segment is still there, for the other's sake; nobody reads it there.
    await log.remove(new Map([[1, 2]]));
    expect(await read(log, 1, 1, 3)).toEqual([30]);
    expect(await own(writer, 1, 3)).toEqual([3, 3, 30]);
    expect((await contents()).map(([cut]) => cut)).toEqual([3]);
    expect((await log.writers())[0]).toMatchObject({ removed: 2, shipped: 3 });
    // What no other machine has is not removed.
    await log.remove(new Map([[1, 4]]));
    expect(await read(log, 1, 1, 3)).toEqual([30]);
    await log.remove(new Map([[1, 3]]));
    expect(await read(log, 1, 1, 3)).toEqual([]);
    expect(await contents()).toEqual([]);
    expect(await world.kept()).toBe(0);
    // Where the log stands is not forgotten with it.
    await writer.close();
    const next = await adoptOne();
    await next.openCut(VIEW);
    expect((await push(next, 40)).offset).toBe(9);
  });

  it('finishes a removal that the store cut short, and reads nothing of it meanwhile', async () => {
    const failing = await world.open({
      objects: { ...world.objects, remove: () => Promise.reject(new Error('the store is away')) },
      brokers: parseBrokers('127.0.0.1:1', 'K'),
      patienceMs: 100,
    });
    const writers = [await log.register(), await log.register()] as const;
    for (const writer of writers) {
      for (const cut of [1, 2]) {
        await writer.openCut(VIEW);
        await push(writer, 10 * writer.writer + cut);
        await writer.seal(cut, []);
        await writer.ship();
      }
    }
    // Listed before they go, fetched after.
    const reading = log.read(1, 1, 2)[Symbol.asyncIterator]();
    const [first] = [(await reading.next()).value as LogEntry];
    const through = new Map([1, 2].map((writer) => [writer, 3 - writer]));
    await expect(failing.remove(through)).rejects.toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
    const left = async () => numbersOf([...(await collect(log.read(1, 1, 2))), ...(await collect(log.read(2, 1, 2)))]);
    expect(await left()).toEqual([22]);
    expect(await world.kept()).toBe(4);
    await log.remove(new Map());
    expect(await world.kept()).toBe(1);
    expect(await left()).toEqual([22]);
    expect(numbersOf([first])).toEqual([11]);
    expect((await reading.next()).done).toBe(true);
  });

  it('reads one source’s entries without what holds none of it', async () => {
    const writer = await log.register();
    const other: SourceSpec = { ...source, name: 'others' };
    for (const [cut, sources] of [[source], [other], [source, other]].entries()) {
      await writer.openCut(VIEW);
      for (const of of sources) await writer.append({ source: of, rows: [numberRow(cut)] });
      await writer.seal(cut + 1, []);
      await writer.ship();
    }
    const fetched: string[] = [];
    const get = (key: string) => (fetched.push(key), world.objects.get(key));
    const counting = await world.open({ objects: { ...world.objects, get } });
    expect(await read(counting, 1, 1, 3, 'numbers')).toEqual([0, 2]);
    expect(await read(counting, 1, 1, 3, 'others')).toEqual([1, 2]);
    expect(await read(counting, 1, 1, 3, 'nothing')).toEqual([]);
    if (machine.store !== 'Kafka') expect(fetched).toHaveLength(4);
    expect(await read(counting, 1, 1, 3)).toEqual([0, 1, 2, 2]);
  });
});
