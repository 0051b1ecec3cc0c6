// A power cut of a server and its Redis, which appends to a file that is brought to the disk each second (`appendfsync everysec`,
// its default): what was acknowledged is read afterwards, with an Idempotency-Key as without one.
// twin: test/integration/redis-append-file.test.ts > on Valkey

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { formatTimestamp, MICROS_PER_MINUTE } from '../../src/core/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld } from '../support/ingestion-world.ts';
import { redisWith } from '../support/online-stores.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';
import { findValkey } from '../support/valkey-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'headrace-power-cut-'));
const library = join(folder, 'held-syncs.so');
const source = fileURLToPath(new URL('../support/held-syncs.c', import.meta.url));
const isCompiled = spawnSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl']).status === 0;
if (!isCompiled) skipBecause('a power cut of Redis: no C compiler (cc) to make a slow disk with');
const program = isCompiled ? findValkey('a power cut of Redis') : undefined;

const definitions = eventDefinitions();
const { manifest } = definitions;

describe.skipIf(program === undefined)('after a power cut before anything came to the disk of Redis', () => {
  let world: IngestionWorld;
  /** Whether each push was acknowledged, and whether it is read in the end. */
  const acknowledged = { plain: false, keyed: false };
  let isRead: typeof acknowledged;

  beforeAll(async () => {
    const held = join(folder, 'held');
    const env = { LD_PRELOAD: library, HELD_SYNCS: held };
    const settings = ['--appendonly', 'yes', '--appendfsync', 'everysec'];
    world = await openIngestionWorld(redisWith({ ...(program !== undefined && { program }), settings, env }));
    const redis = world.place.server as RedisServer;
    writeFileSync(held, '');
    const server = await world.open({ definitions: () => definitions });
    const push = (k: string, x: number, key?: string) => {
      const rows = [{ k, happened: formatTimestamp(NOW - MICROS_PER_MINUTE), x }];
      return server.ingestion.push('events', rows, key).then(
        () => true,
        () => false,
      );
    };
    acknowledged.plain = await push('plain', 1);
    acknowledged.keyed = await push('keyed', 2, 'key');
    await redis.kill();
    await server.drop();
    loseUnsynced(redis.folder);
    rmSync(held);
    await redis.start();
    const next = await world.open({ definitions: () => definitions });
    await vi.waitUntil(() => next.ingestion.settle().catch(() => 0), 30_000);
    const lastX = async (key: string) => (await world.valuesOf(manifest, key))['last_x'];
    const read = async () => ({ plain: (await lastX('plain')) === 1, keyed: (await lastX('keyed')) === 2 });
    // Its connection may not be back yet.
    isRead = await vi.waitUntil(() => read().catch(() => undefined), 30_000);
  });
  afterAll(async () => {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('a push without a key is read that was acknowledged', () => {
    expect({ acknowledged: acknowledged.plain, isRead: isRead.plain }).toEqual({ acknowledged: true, isRead: true });
  });

  it('a push with a key is read if it was acknowledged', () => {
    expect(isRead.keyed).toBe(acknowledged.keyed);
  });
});

/** Of a server whose syncs were held from the start. */
function loseUnsynced(of: string): void {
  const appended = join(of, 'appendonlydir');
  for (const name of readdirSync(appended)) if (name.endsWith('.incr.aof')) truncateSync(join(appended, name));
}
