// The end of a claim is set when its cut is sealed, whatever comes between: a claim without one would be kept for ever.

import { rename } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatTimestamp, HeadraceError, MICROS_PER_MINUTE, systemClock } from '../../src/core/index.ts';
import { createViewCodec, type OnlineStore, type RunRow } from '../../src/online/index.ts';
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { type OnlineStoreKind, type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';

type OnlineWriter = Awaited<ReturnType<OnlineStore['writer']>>;
const definitions = eventDefinitions();
const { manifest } = definitions;
const rows = [{ k: 'a', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), x: 1 }];
const limits = { claimRetentionMs: 200 };

/** What has passed for the embedded store beside what really did. Redis has a clock of its own. */
let skippedMs = 0;
const steadyClock = { id: 'test', nowMicros: () => Math.round((performance.now() + skippedMs) * 1000) };

const withSteadyClock = (kind: OnlineStoreKind): OnlineStoreKind => ({
  ...kind,
  async prepare() {
    const place = await kind.prepare();
    const path = place.url.slice('lmdb:'.length);
    const open: OnlineStorePlace['open'] = async (clock = systemClock, project = 'test') =>
      openLmdbStore({ path, project, clock, steadyClock });
    return { ...place, open };
  },
});
const kinds = onlineStoreKinds().map((kind) => (kind.name === 'lmdb' ? withSteadyClock(kind) : kind));

describe.each(kinds)('a claim’s end on $name', (kind) => {
  let world: IngestionWorld;
  let isAway = false;
  let failed = 0;
  beforeEach(async () => {
    isAway = false;
    failed = 0;
    skippedMs = 0;
    world = await openIngestionWorld(kind);
  });
  afterEach(() => world.close());

  const push = ({ ingestion }: PushProcess, key: string) => ingestion.push('events', rows, key);
  const away = () => new HeadraceError('HR_ONLINE_UNAVAILABLE', 'it is away');
  /** The store with other methods of its writers. */
  const withWriter = (more: (writer: OnlineWriter) => Partial<OnlineWriter>) => (store: OnlineStore) => ({
    ...store,
    async writer(link: Parameters<OnlineStore['writer']>[0]) {
      const writer = await store.writer(link);
      return { ...writer, ...more(writer) };
    },
  });
  const between = withWriter((writer) => ({
    async expire(...given) {
      if (!isAway) return writer.expire(...given);
      failed++;
      throw away();
    },
  }));
  const open = (more: Partial<Parameters<IngestionWorld['open']>[0]> = {}): Promise<PushProcess> =>
    world.open({ definitions: () => definitions, between, limits, settleEveryMs: 0, ...more });
  /** A cut that is sealed and shipped; gives the run that asked. */
  const cut = async ({ ingestion }: PushProcess): Promise<RunRow> => {
    const run = await world.ask(manifest);
    await ingestion.look();
    await expect.poll(async () => (await world.runs.answers(run.number)).size).toBe(1);
    return run;
  };
  const markAt = async (row: RunRow, cuts: number): Promise<void> => {
    const { version } = createViewCodec(manifest, 'v');
    const coverage = { floor: 1, cuts: new Map([[1, cuts]]) };
    await world.runs.open(row, { snapshot: [], boundary: -Infinity, coverage, isFull: true, since: 0 });
    const run = await world.store.run({
      version,
      run: row.number,
      entity: 'thing',
      lifetimeMs: () => undefined,
      isOpen: async () => true,
    });
    for (const node of run.nodes) {
      await run.begin(node);
      await run.mark(node);
    }
    await run.close();
  };
  const isForgotten = (by: PushProcess, key: string) =>
    expect.poll(async () => (await push(by, key)).duplicate, { timeout: 10_000, interval: 50 }).toBe(false);

  it('is set once the store is back, if that was away when the cut was sealed', async () => {
    const server = await open();
    await push(server, 'k');
    isAway = true;
    await cut(server);
    await expect.poll(() => failed, { timeout: 5000 }).toBeGreaterThan(1);
    expect(await push(server, 'k')).toMatchObject({ duplicate: true });
    isAway = false;
    await isForgotten(server, 'k');
  }, 30_000);

  it('is set by whoever settles the log of a writer that died before it could, even if a run covers the cut', async () => {
    const dead = await open();
    await push(dead, 'k');
    isAway = true;
    const run = await cut(dead);
    await expect.poll(() => failed).toBeGreaterThan(0);
    await markAt(run, 1);
    await dead.drop();
    isAway = false;
    const next = await open();
    expect(await push(next, 'k')).toMatchObject({ duplicate: true });
    expect(await next.ingestion.settle()).toBe(1);
    await isForgotten(next, 'k');
  }, 30_000);

  it('is set by a settler that could not when it sealed the cut', async () => {
    const dead = await open();
    await push(dead, 'k');
    await dead.drop();
    const next = await open();
    isAway = true;
    expect(await next.ingestion.settle()).toBe(1);
    expect(failed).toBeGreaterThan(0);
    expect((await next.log.writers())[0]).toMatchObject({ state: 'open' });
    isAway = false;
    await next.ingestion.look();
    expect((await next.log.writers())[0]).toMatchObject({ state: 'ended' });
    await isForgotten(next, 'k');
  }, 30_000);

  it('is not set by a writer whose claim was over, when another holds the key by now', async () => {
    const dead = await open();
    await push(dead, 'k');
    await cut(dead);
    await dead.drop();
    const server = await open({ machine: 'b' });
    await isForgotten(server, 'k');
    // The new claim's cut is open: it has no end yet.
    expect(await (await open()).ingestion.settle()).toBe(1);
    skippedMs = 3 * limits.claimRetentionMs;
    const { server: redis } = world.place;
    const [claim = ''] = (await redis?.command('KEYS hr:claim:*'))?.match(/hr:claim:\S+/) ?? [];
    if (redis !== undefined) expect(await redis.command(`PTTL ${claim}`)).toMatch(/^:-1/);
    expect(await push(server, 'k')).toMatchObject({ duplicate: true });
  }, 30_000);

  it('comes before the next cut is sealed, also by a writer that stops while the store is away', async () => {
    const { promise: gone, resolve: isGone } = Promise.withResolvers<void>();
    const dying = withWriter((writer) => ({
      async expire() {
        failed++;
        await gone;
        throw away();
      },
      async close() {
        isGone();
        // As one that has something on the way: whoever waited for the end goes on first.
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
        await writer.close();
      },
    }));
    const server = await open({ between: dying, closeLimitMs: 50 });
    await push(server, 'k');
    await cut(server);
    await expect.poll(() => failed).toBe(1);
    await push(server, 'l');
    await server.close();
    const next = await open();
    const [left] = await next.log.adopt();
    expect((await left?.cuts())?.map(({ voids }) => voids !== undefined)).toEqual([true, false]);
    await left?.close();
    expect(await next.ingestion.settle()).toBe(1);
    await isForgotten(next, 'k');
    await isForgotten(next, 'l');
  }, 30_000);

  it('of a cut that can be read nowhere keeps no settler from folding what was pushed after it', async () => {
    const dead = await open();
    await push(dead, 'k');
    const run = await cut(dead);
    await markAt(run, 1);
    await dead.drop();
    const next = await open();
    // As if killed between the log and the store.
    const [adopted] = await next.log.adopt();
    const { events } = manifest.sources;
    const row = { k: 'b', happened: NOW - MICROS_PER_MINUTE, x: 1 };
    await adopted?.append({ source: events as NonNullable<typeof events>, rows: [{ row, knownMicros: NOW }] });
    await adopted?.close();
    const { objects } = world.places;
    await rename(objects, `${objects}-away`);
    expect(await next.ingestion.settle()).toBe(1);
    expect(await world.valuesOf(manifest, 'b')).toMatchObject({ rows: 1n });
    expect((await next.log.writers())[0]).toMatchObject({ state: 'open', shipped: 1 });
    await rename(`${objects}-away`, objects);
    await next.ingestion.look();
    expect((await next.log.writers())[0]).toMatchObject({ state: 'ended', shipped: 2 });
    await isForgotten(next, 'k');
  }, 30_000);
});
