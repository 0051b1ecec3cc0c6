// Redis whose append-only file lies on a disk that fills up: it refuses writes until there is room. A push is not answered
// before it can be read, none that was acknowledged is lost, and each counts once.

import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatTimestamp, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../src/core/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { fillDisk, freeDisk } from '../support/fill-disk.ts';
import { type IngestionWorld, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { redisWith } from '../support/online-stores.ts';
import { hasRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { fullIt } from '../support/tier.ts';

const disk = hasRedis() ? mountSmallDisk(16) : undefined;
if (disk === undefined) skipBecause('Redis on a full disk: no redis-server, or this user may not mount a small disk');
const path = disk?.path ?? '';
const hog = `${path}/hog`;
afterAll(() => disk?.remove());

const definitions = eventDefinitions();
const { manifest } = definitions;
const AOF = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--dir', path];

describe.skipIf(disk === undefined)('keyed pushes while the disk of Redis is full', () => {
  let world: IngestionWorld;
  let server: PushProcess;
  beforeEach(async () => {
    rmSync(`${path}/appendonlydir`, { recursive: true, force: true });
    freeDisk(hog);
    world = await openIngestionWorld(redisWith({ settings: AOF }));
    server = await world.open({ definitions: () => definitions, limits: { timeoutMs: 300 } });
  });
  afterEach(() => world.close());

  const rows = (n: number) => [{ k: 'k', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), n }];
  const push = (n: number) => server.ingestion.push('events', rows(n), `key ${n}`);
  const counted = async () => {
    const { rows: count, sum_n: sum } = await world.valuesOf(manifest, 'k', NOW + MICROS_PER_SECOND);
    return { count, sum };
  };
  const pushAll = async (): Promise<void> => {
    for (const n of [1, 2, 3, 4])
      await expect
        .poll(() => push(n).catch(() => undefined), { timeout: 10_000 })
        .toMatchObject({ accepted: 1, duplicate: n < 4 });
    expect(await counted()).toEqual({ count: 4n, sum: 10n });
  };
  const fill = async (): Promise<void> => {
    fillDisk(hog);
    // It learns of it when it next writes to the file.
    await expect.poll(() => world.place.server?.command('SET probe 1'), { timeout: 10_000 }).toContain('MISCONF');
  };

  it('are refused as unavailable, which says that its disk is full, and each counts once when there is room', async () => {
    await push(1);
    await fill();
    for (const n of [2, 3])
      await expect(push(n)).rejects.toMatchObject({
        code: 'HR_ONLINE_UNAVAILABLE',
        message: expect.stringMatching(/No space left on device/),
      });
    expect(await counted()).toEqual({ count: 1n, sum: 1n });
    freeDisk(hog);
    await pushAll();
    await server.close();
    expect(await counted()).toEqual({ count: 4n, sum: 10n });
  });

  // twin: test/integration/redis-full-disk.test.ts > are refused as unavailable, which says that its disk is full, and each counts once when there is room
  fullIt('each count once, too, where Redis is killed meanwhile and starts again when there is room', async () => {
    await push(1);
    await fill();
    await expect(push(2)).rejects.toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    await world.place.server?.kill();
    await expect(push(3)).rejects.toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    freeDisk(hog);
    await world.place.server?.start();
    await pushAll();
    expect(await counted()).toEqual({ count: 4n, sum: 10n });
  });
});
