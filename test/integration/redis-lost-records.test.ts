// Records that Redis loses by itself, by a clock that ran ahead or for want of memory: the next run writes them again.

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, systemClock } from '../../src/core/index.ts';
import type { Manifest } from '../../src/definitions/index.ts';
import type { OnlineStore } from '../../src/online/index.ts';
import { openRedisStore } from '../../src/online/redis/redis-store.ts';
import { fakeTime, findFakeTime, WITHOUT_FAKE_TIME } from '../support/fake-time.ts';
import { letTimePass } from '../support/let-time-pass.ts';
import { fields, openOfflineWorld, type OfflineWorld, TYPES, writeParquet } from '../support/offline-world.ts';
import { materializeView, oneView, readOnline } from '../support/one-view.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';
import { fullDescribe, isFull } from '../support/tier.ts';

if (!hasRedis()) skipBecause('records that Redis loses: there is no redis-server on this machine');
const library = isFull ? findFakeTime() : undefined;
if (isFull && library === undefined) skipBecause(`a Redis whose clock jumps: ${WITHOUT_FAKE_TIME}`);

describe.skipIf(!hasRedis())('records at Redis', () => {
  const columns = fields({ key: TYPES.string, at: TYPES.timestamp, v: TYPES.float64 });
  const now = systemClock.nowMicros();
  let world: OfflineWorld;
  let server: RedisServer;
  let store: OnlineStore;
  let manifest: Manifest;
  /** The clock of Redis itself; none where nothing can set it. */
  let time: ReturnType<typeof fakeTime> | undefined;
  let minutes: number;
  beforeEach(async () => {
    world = await openOfflineWorld();
    time = library === undefined ? undefined : fakeTime(library, world.directory);
    // The cycle that removes what has expired goes through its databases one after the other.
    server = await startRedis({ env: time?.env ?? {}, settings: ['--databases', '1'] });
    store = await openRedisStore(server.url, { project: 'test' });
    const events = join(world.directory, 'events.parquet');
    await writeParquet(world.connection, events, columns, [{ key: 'k', at: now - MICROS_PER_HOUR, v: 1 }]);
    manifest = oneView(events, columns, { view: { ttlMicros: MICROS_PER_DAY } });
    minutes = 0;
    await run();
  });
  afterEach(async () => {
    await store.close();
    await server.stop();
    await world.close();
  });

  /** An incremental run, a minute after the last. */
  const run = () => {
    const clock = { nowMicros: () => now + minutes * MICROS_PER_MINUTE };
    minutes++;
    return materializeView(world, manifest, store, clock);
  };
  const status = async () => (await readOnline(world.deps.database, manifest, store, 'k', now)).statuses[0];

  /** As a Redis does that was short of memory for a moment, under the policy that many managed ones come with. */
  const evict = async (): Promise<void> => {
    await server.command('CONFIG SET maxmemory-policy volatile-lru');
    await server.command('CONFIG SET maxmemory 1');
    await vi.waitUntil(async () => (await status()) === 'NOT_FOUND', { timeout: 30_000 });
    await server.command('CONFIG SET maxmemory 0');
  };

  it('are there after a run, and stay where the next finds nothing new', async () => {
    expect(await status()).toBe('PRESENT');
    expect(await run()).toBe('up-to-date');
    expect(await status()).toBe('PRESENT');
  });

  it('that ended while its clock was ten days ahead are there after the next run (datapath/D5)', async () => {
    await letTimePass(store, server, now, 10 * MICROS_PER_DAY);
    await run();
    expect(await status()).toBe('PRESENT');
  });

  // twin: test/integration/redis-lost-records.test.ts > that ended while its clock was ten days ahead are there after the next run (datapath/D5)
  fullDescribe.skipIf(library === undefined)('where Redis’ own clock was ten days ahead for a moment', () => {
    const AHEAD_SECONDS = 10 * 86_400;
    const seconds = async () => Number((await server.command('TIME')).split('\r\n')[2]);
    /** What was read while the clock was ahead, and once it was right again. */
    let statuses: (string | undefined)[];
    beforeEach(async () => {
      const before = await seconds();
      time?.setAhead(AHEAD_SECONDS);
      await vi.waitUntil(async () => (await seconds()) >= before + AHEAD_SECONDS, 30_000);
      statuses = [await status()];
      // Redis removes what has expired ten times a second, or when it is read.
      await vi.waitUntil(async () => (await server.command('INFO keyspace')).includes('expires=0'), 30_000);
      time?.setAhead(0);
      await vi.waitUntil(async () => (await seconds()) < before + AHEAD_SECONDS, 30_000);
      statuses.push(await status());
    });

    it('end by that clock', () => {
      expect(statuses).toEqual(['NOT_FOUND', 'NOT_FOUND']);
    });

    it('are there after the next run (datapath/D5)', async () => {
      await run();
      expect(await status()).toBe('PRESENT');
    });
  });

  it('that it evicted are there after the next run (datapath/D6)', async () => {
    await evict();
    await run();
    expect(await status()).toBe('PRESENT');
  });
});
