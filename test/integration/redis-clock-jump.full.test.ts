// A Redis whose own clock is ten days ahead for a moment: its records end, and the next run writes them again.
// twin: test/integration/redis-lost-records.test.ts > records at Redis

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, systemClock } from '../../src/core/index.ts';
import type { Manifest } from '../../src/definitions/index.ts';
import type { OnlineStore } from '../../src/online/index.ts';
import { openRedisStore } from '../../src/online/redis/redis-store.ts';
import { fakeTime, findFakeTime, WITHOUT_FAKE_TIME } from '../support/fake-time.ts';
import { fields, openOfflineWorld, type OfflineWorld, TYPES, writeParquet } from '../support/offline-world.ts';
import { materializeView, oneView, readOnline } from '../support/one-view.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

const library = findFakeTime();
const isHere = hasRedis() && library !== undefined;
if (!isHere)
  skipBecause(
    `a Redis whose clock jumps: ${hasRedis() ? WITHOUT_FAKE_TIME : 'there is no redis-server on this machine'}`,
  );

const AHEAD_SECONDS = 10 * 86_400;

describe.skipIf(!isHere)('records at a Redis whose clock was ten days ahead for a moment', () => {
  let world: OfflineWorld;
  let server: RedisServer;
  let store: OnlineStore;
  let manifest: Manifest;
  let now = systemClock.nowMicros();
  /** What was read after a run, while the clock was ahead, once it was right again, and after the next run. */
  const statuses: (string | undefined)[] = [];

  const redisSeconds = async () => Number((await server.command('TIME')).split('\r\n')[2]);
  const look = async () => {
    statuses.push((await readOnline(world.deps.database, manifest, store, 'k', now)).statuses[0]);
  };
  beforeAll(async () => {
    world = await openOfflineWorld();
    const time = fakeTime(library ?? '', world.directory);
    server = await startRedis({ env: time.env });
    store = await openRedisStore(server.url, { project: 'test' });
    const columns = fields({ key: TYPES.string, at: TYPES.timestamp, v: TYPES.float64 });
    const events = join(world.directory, 'events.parquet');
    await writeParquet(world.connection, events, columns, [{ key: 'k', at: now - MICROS_PER_HOUR, v: 1 }]);
    manifest = oneView(events, columns, { view: { ttlMicros: MICROS_PER_DAY } });
    const run = () => materializeView(world, manifest, store, { nowMicros: () => now });
    await run();
    await look();
    const before = await redisSeconds();
    time.setAhead(AHEAD_SECONDS);
    await vi.waitUntil(async () => (await redisSeconds()) >= before + AHEAD_SECONDS, 30_000);
    await look();
    time.setAhead(0);
    await vi.waitUntil(async () => (await redisSeconds()) < before + AHEAD_SECONDS, 30_000);
    await look();
    now += MICROS_PER_MINUTE;
    await run();
    await look();
  });
  afterAll(async () => {
    await store.close();
    await server.stop();
    await world.close();
  });

  it('are there before, and end by that clock', () => {
    expect(statuses.slice(0, 3)).toEqual(['PRESENT', 'NOT_FOUND', 'NOT_FOUND']);
  });

  it.fails('are there after the next run (datapath/D5)', () => {
    expect(statuses[3]).toBe('PRESENT');
  });
});
