// Cuts of a writer's log: for a run that asks, for memory, for definitions that change; sealed only once all that came
// into them is decided, folded and answered.

import { describe, expect, it } from 'vitest';
import { formatTimestamp, MICROS_PER_HOUR, MICROS_PER_MINUTE, type Row } from '../../src/core/index.ts';
import type { LogEntry } from '../../src/events/index.ts';
import { createViewCodec } from '../../src/online/index.ts';
import { eachWorld } from '../support/each-world.ts';
import { EVENT_FEATURES, eventDefinitions } from '../support/event-definitions.ts';
import { NOW, openIngestionWorld, type PushProcess, writersOf } from '../support/ingestion-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const definitions = eventDefinitions();
const { manifest } = definitions;
const ago = (minutes: number): string => formatTimestamp(NOW - minutes * MICROS_PER_MINUTE);
const event = (k: string, minutesAgo: number, more: object = {}) => ({ k, happened: ago(minutesAgo), ...more });

describe.each(onlineStoreKinds())('a writer on $name', (kind) => {
  const world = eachWorld(() => openIngestionWorld(kind));
  const push = (by: PushProcess, rows: unknown, key?: string) => by.ingestion.push('events', rows, key);
  const shippedBy = async ({ log }: PushProcess, writer: number): Promise<number> =>
    (await log.writers()).find(({ number }) => number === writer)?.shipped ?? -1;
  const entriesOf = ({ log }: PushProcess, writer: number): Promise<LogEntry[]> =>
    Array.fromAsync(log.read(writer, 1, Infinity));
  const isAnswered = async (run: number, writer: number): Promise<boolean> =>
    (await world.runs.answers(run)).has(writer);
  const partsOf = async (key: string, of = manifest) => {
    const { version } = createViewCodec(of, 'v');
    for await (const found of world.store.scan('e', version)) {
      if (Buffer.from(found.key).includes(key))
        return found.record.parts.map(({ cut, boundary }) => `${cut} ${boundary}`);
    }
    return [];
  };

  it('answers a run that asks once its cut is sealed and every machine can read it', async () => {
    const server = await world.open({ definitions: () => definitions });
    await push(server, [event('a', 3, { x: 1 })]);
    await push(server, [event('a', 2, { x: 2 })], 'k');
    const writer = server.ingestion.status().writer?.writer as number;
    await server.ingestion.look();
    expect(server.ingestion.status().writer?.cut).toBe(1);
    const run = await world.ask(manifest);
    await server.ingestion.look();
    await expect.poll(() => isAnswered(run.number, writer)).toBe(true);
    expect(await shippedBy(server, writer)).toBe(1);
    expect((await entriesOf(server, writer)).map(({ cut, count }) => [cut, count])).toEqual([
      [1, 1],
      [1, 1],
    ]);
    await server.ingestion.look();
    expect(server.ingestion.status().writer?.cut).toBe(2);
    await push(server, [event('a', 1, { x: 3 })]);
    expect(await partsOf('a')).toEqual(['1 -Infinity', '2 -Infinity']);
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 3n, last_x: 3 });
  });

  it('by itself, while it serves', async () => {
    const server = await world.open({ definitions: () => definitions, lookEveryMs: 10 });
    await push(server, [event('a', 3)]);
    const writer = server.ingestion.status().writer?.writer as number;
    const runs = [await world.ask(manifest), await world.ask(manifest)];
    for (const { number } of runs.slice(1)) await expect.poll(() => isAnswered(number, writer)).toBe(true);
  });

  it('splits what comes after a run asked at the boundary that it proposes', async () => {
    const until = eventDefinitions({ pushes: 'until-materialized' });
    const server = await world.open({ definitions: () => until });
    await push(server, [event('a', 90), event('a', 10)]);
    expect(await partsOf('a', until.manifest)).toEqual(['1 -Infinity']);
    const boundary = NOW - MICROS_PER_HOUR;
    const run = await world.ask(until.manifest, { proposed: boundary });
    await server.ingestion.look();
    await expect.poll(() => isAnswered(run.number, 1)).toBe(true);
    await push(server, [event('a', 90), event('a', 10), event('a', 60)]);
    expect(await partsOf('a', until.manifest)).toEqual(['1 -Infinity', '2 -Infinity', `2 ${boundary}`]);
    expect(await world.valuesOf(until.manifest, 'a')).toMatchObject({ rows: 5n });
  });

  it('does not seal a cut before what came into it is answered, and takes pushes meanwhile', async () => {
    const { between, stop, go } = gate();
    const server = await world.open({ definitions: () => definitions, between });
    await push(server, [event('a', 4)]);
    stop();
    let isDone = false;
    const slow = push(server, [event('a', 3)], 'slow').then(() => (isDone = true));
    await expect.poll(() => server.ingestion.status().writer?.pending).toBe(1);
    const run = await world.ask(manifest);
    await server.ingestion.look();
    expect(server.ingestion.status().writer?.cut).toBe(2);
    const next = push(server, [event('a', 2)]);
    await expect.poll(() => server.ingestion.status().writer?.pending).toBe(2);
    expect(await isAnswered(run.number, 1)).toBe(false);
    expect(isDone).toBe(false);
    expect(await shippedBy(server, 1)).toBe(0);
    go();
    await Promise.all([slow, next]);
    await expect.poll(() => isAnswered(run.number, 1)).toBe(true);
    expect((await entriesOf(server, 1)).map(({ cut }) => cut)).toEqual([1, 1]);
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 3n });
  });

  it('decides ties by the place in the log, not by which of them is folded first', async () => {
    const { between, stop, go } = gate(['claim']);
    const unordered = eventDefinitions({ created: null });
    const server = await world.open({ definitions: () => unordered, between });
    await push(server, [event('other', 3)]);
    stop();
    const first = push(server, [event('a', 3, { x: 1, s: 'one' })], 'waits for its claim');
    await expect.poll(() => server.ingestion.status().writer?.pending).toBe(1);
    await push(server, [event('a', 3, { x: 2, s: 'two' })]);
    go();
    await first;
    const values = { rows: 2n, last_x: 2, last_s: 'two', final_s: 'two', initial_s: 'one', recent_s: ['one', 'two'] };
    expect(await world.valuesOf(unordered.manifest, 'a')).toMatchObject(values);
  });

  it('cuts when its parts pass the memory that they may take', async () => {
    const server = await world.open({ definitions: () => definitions, limits: { memoryBytes: 20_000 } });
    for (let i = 0; i < 200; i++) await push(server, [event(`key ${i}`, 3, { x: i })]);
    await expect.poll(() => shippedBy(server, 1)).toBeGreaterThan(2);
    const { cut, partBytes } = server.ingestion.status().writer ?? { cut: 0, partBytes: 0 };
    expect(cut).toBeLessThan(20);
    expect(partBytes).toBeLessThan(40_000);
    for (let i = 0; i < 200; i += 37)
      expect(await world.valuesOf(manifest, `key ${i}`)).toMatchObject({ rows: 1n, last_x: i });
  });

  it('cuts when the definitions change, and folds into both ways of reading from then on', async () => {
    let current = definitions;
    const server = await world.open({ definitions: () => current });
    await push(server, [event('a', 3, { x: 1 })]);
    const more = eventDefinitions({ created: null, features: EVENT_FEATURES.slice(0, 2) });
    expect(createViewCodec(more.manifest, 'v').version).not.toBe(createViewCodec(manifest, 'v').version);
    current = more;
    await push(server, [event('a', 2, { x: 2 })]);
    await push(server, [event('a', 1, { x: 3 })]);
    expect(server.ingestion.status().writer?.cut).toBe(2);
    // What came before is in no cut of the new version: a run brings it.
    expect(await world.valuesOf(more.manifest, 'a')).toEqual({ last_x: 3, rows: 2n });
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ last_x: 1, rows: 1n });
  });

  it('folds a cut by one state of the definitions alone, whatever those were that a push was parsed by', async () => {
    const other = eventDefinitions({ features: EVENT_FEATURES.slice(0, 3) });
    let current = definitions;
    // Some take long to derive: by then the definitions are others.
    const waiting: (() => void)[] = [];
    const derive = (rows: readonly Row[]) =>
      rows.some((row) => row['n'] === 0n) ? new Promise<typeof rows>((done) => waiting.push(() => done(rows))) : rows;
    const server = await world.open({ definitions: () => current, derive });
    await push(server, [event('first', 3)]);
    const pushes: Promise<unknown>[] = [];
    for (let i = 0; i < 60; i++) {
      pushes.push(push(server, [event(`key ${i}`, 3, { n: i % 4 })], i % 3 === 0 ? `k${i}` : undefined));
      if (i % 10 !== 5) continue;
      current = current === definitions ? other : definitions;
      await push(server, [event(`change ${i}`, 3)]);
      for (const done of waiting.splice(0)) done();
    }
    const timer = setInterval(() => waiting.splice(0).forEach((done) => done()), 1);
    await Promise.all(pushes).finally(() => clearInterval(timer));
    const versions = [definitions, other].map((own) => createViewCodec(own.manifest, 'v').version);
    const byCut = new Map<number, Set<string>>();
    let parts = 0;
    for (const version of versions) {
      for await (const { record } of world.store.scan('e', version)) {
        for (const { cut } of record.parts) byCut.set(cut, (byCut.get(cut) ?? new Set()).add(version));
        parts += record.parts.length;
      }
    }
    expect(parts).toBe(67);
    expect(byCut.size).toBeGreaterThan(1);
    expect([...byCut.values()].map(({ size }) => size)).toEqual([...byCut].map(() => 1));
    await server.close();
    expect((await entriesOf(await world.open({ definitions: () => current }), 1)).length).toBe(67);
  });

  it('whose object store is away answers no run, and all of them when it is back', async () => {
    const { rename } = await import('node:fs/promises');
    const { writeFileSync, rmSync } = await import('node:fs');
    const server = await world.open({ definitions: () => definitions });
    await push(server, [event('a', 3)]);
    // A file where the folder was: nothing can be put there.
    await rename(world.places.objects, `${world.places.objects}-away`);
    writeFileSync(world.places.objects, '');
    const run = await world.ask(manifest);
    await server.ingestion.look();
    await expect.poll(() => server.ingestion.status().writer?.shipFailure).toBeTruthy();
    await push(server, [event('a', 2)]);
    expect(await isAnswered(run.number, 1)).toBe(false);
    rmSync(world.places.objects);
    await rename(`${world.places.objects}-away`, world.places.objects);
    await expect.poll(() => isAnswered(run.number, 1), { timeout: 8000 }).toBe(true);
    expect(server.ingestion.status().writer?.shipFailure).toBeNull();
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 2n });
  });

  it('ends as it should when its process does: sealed, shipped, and nothing left to settle but its parts', async () => {
    const server = await world.open({ definitions: () => definitions });
    await push(server, [event('a', 3)], 'k');
    await server.close();
    const next = await world.open({ definitions: () => definitions });
    const [row] = await next.log.writers();
    expect(row).toMatchObject({ state: 'ended', cut: 1, shipped: 1 });
    await expect(push(server, [event('a', 3)])).rejects.toMatchObject({ code: 'HR_STOPPING' });
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 1n });
  });
});

/** Holds back some of what a process asks of its store while it is stopped. */
function gate(held: readonly ('putParts' | 'claim' | 'finish')[] = ['putParts', 'claim', 'finish']) {
  let opened = Promise.resolve();
  let go = (): void => {};
  const wait = <A extends readonly unknown[], R>(name: (typeof held)[number], work: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      if (held.includes(name)) await opened;
      return work(...args);
    };
  };
  const between = writersOf(({ putParts, claim, finish }) => ({
    putParts: wait('putParts', putParts),
    claim: wait('claim', claim),
    finish: wait('finish', finish),
  }));
  return { between, stop: () => void (opened = new Promise((resolve) => (go = resolve))), go: () => go() };
}
