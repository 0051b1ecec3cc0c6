// A disk that is full just when a writer writes again what the online store has lost, or when a dead writer's log is settled:
// nothing acknowledged is lost or counts twice, and all goes on once there is space.

import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatTimestamp, MICROS_PER_MINUTE, MICROS_PER_SECOND, systemClock } from '../../src/core/index.ts';
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { fillDisk, freeDisk } from '../support/fill-disk.ts';
import { holdClaims } from '../support/held-claims.ts';
import { type IngestionWorld, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { materializeAll } from '../support/offline-beside.ts';
import { type OnlineStoreKind, redisWith } from '../support/online-stores.ts';
import { hasRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const disk = mountSmallDisk(8);
if (disk === undefined) skipBecause('a full disk while a writer relinks: this user may not mount a small one');
if (!hasRedis()) skipBecause('a full disk while a writer relinks: there is no redis-server on this machine');
const root = disk?.path ?? '';
const hog = join(root, 'hog');
afterAll(() => disk?.remove());
beforeEach(() => {
  for (const name of disk === undefined ? [] : readdirSync(root)) rmSync(join(root, name), { recursive: true });
});

const definitions = eventDefinitions();
const { manifest } = definitions;
const rows = (n: number) => [{ k: 'k', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), n }];
const FULL = { code: 'HR_STORAGE_FULL', message: expect.stringContaining('is full') };

let world: IngestionWorld;
const counted = async () => {
  const { rows: count, sum_n: sum } = await world.valuesOf(manifest, 'k', NOW + MICROS_PER_SECOND);
  return { count, sum };
};

describe.skipIf(disk === undefined || !hasRedis())(
  'a writer whose log is on a full disk when Redis has lost all',
  () => {
    const claims = holdClaims();
    let [first, other]: PushProcess[] = [];
    beforeEach(async () => {
      world = await openIngestionWorld(redisWith({}));
      const log = join(root, 'pushes');
      mkdirSync(log);
      const own = { definitions: () => definitions, log: { path: log } };
      first = await world.open({ ...own, machine: 'a', between: claims.between });
      await first.ingestion.push('events', rows(5), 'key');
      await first.ingestion.push('events', rows(300));
      claims.hold();
      fillDisk(hog);
      await world.place.server?.kill();
      await world.place.server?.start();
      await vi.waitUntil(() => counted().catch(() => undefined), 30_000);
      other = await world.open({ definitions: () => definitions, machine: 'b' });
      // The first has not claimed its key again yet.
      await other.ingestion.push('events', rows(5), 'key');
      await claims.letGo();
    });
    afterEach(() => world.close());

    it('counts each once, refuses what comes, and seals once there is space', async () => {
      const once = { count: 2n, sum: 305n };
      expect(await counted()).toEqual(once);
      const asked = await world.ask(manifest);
      // What is left of the last block of the log's file would hold a small one.
      const large = rows(7).map((row) => ({ ...row, s: 'x'.repeat(5000) }));
      await expect(first?.ingestion.push('events', large, 'other')).rejects.toMatchObject(FULL);
      await first?.ingestion.look().catch(() => {});
      expect(await counted()).toEqual(once);
      freeDisk(hog);
      await first?.ingestion.push('events', large, 'other');
      await first?.ingestion.look();
      const answers = async () => (await world.runs.answers(asked.number)).size;
      await expect.poll(answers, { timeout: 10_000 }).toBe(1);
      await Promise.all([first?.close(), other?.close()]);
      expect(await materializeAll(world, definitions)).toBe('finished');
      expect(await counted()).toEqual({ count: 3n, sum: 312n });
    });
  },
);

/** LMDB on the small disk. */
const smallLmdb: Pick<OnlineStoreKind, 'prepare'> = {
  async prepare() {
    const path = join(root, 'online');
    return {
      url: `lmdb:${path}`,
      open: async (clock = systemClock, project = 'test') => openLmdbStore({ path, project, clock }),
      remove: async () => rmSync(path, { recursive: true, force: true }),
    };
  },
};

describe.skipIf(disk === undefined)('a dead writer on LMDB whose disk is full', () => {
  beforeEach(async () => {
    world = await openIngestionWorld(smallLmdb);
  });
  afterEach(() => world.close());

  it('is settled once there is space, and each of its pushes counts once', async () => {
    const open = () => world.open({ definitions: () => definitions, limits: { timeoutMs: 300 }, closeLimitMs: 100 });
    const dead = await open();
    await dead.ingestion.push('events', rows(1), 'one');
    await dead.ingestion.push('events', rows(20));
    fillDisk(hog);
    // It is in the log, and the store has no room for it.
    await expect(dead.ingestion.push('events', rows(300))).rejects.toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    await dead.drop();
    const heir = await open();
    expect(await heir.ingestion.settle()).toBe(0);
    await expect(heir.ingestion.push('events', rows(4000), 'two')).rejects.toMatchObject({
      code: expect.stringMatching(/^HR_(ONLINE_UNAVAILABLE|STORAGE_FULL)$/),
    });
    freeDisk(hog);
    // With it the writer that was begun for the push which was refused.
    expect(await heir.ingestion.settle()).toBe(2);
    expect(await heir.ingestion.push('events', rows(1), 'one')).toMatchObject({ duplicate: true });
    await heir.ingestion.push('events', rows(4000), 'two');
    expect(await counted()).toEqual({ count: 4n, sum: 4321n });
  });
});
