// A Redis that refuses INFO and CONFIG to its user, as managed ones may: all works, and a push says that it survives no power cut
// as far as anyone can tell.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatTimestamp, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../src/core/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld } from '../support/ingestion-world.ts';
import { materializeAll } from '../support/offline-beside.ts';
import { onRedis } from '../support/online-stores.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';
import { rows } from '../support/tier.ts';

if (!hasRedis()) skipBecause('a Redis that refuses INFO: there is no redis-server on this machine');

const definitions = eventDefinitions();
const { manifest } = definitions;

/** A durable Redis with a user that has no right to these commands. */
const refusing = (commands: string) =>
  onRedis(async () => {
    const server = await startRedis({ isDurable: true });
    await server.command(`ACL SETUSER app on >secret ~* &* +@all ${commands}`);
    return { ...server, server, url: server.url.replace('redis://', 'redis://app:secret@') };
  });

describe.skipIf(!hasRedis()).each(rows(['-info -config'], ['-info']))('with %s', (commands) => {
  let world: IngestionWorld;
  beforeEach(async () => {
    world = await openIngestionWorld(refusing(commands));
  });
  afterEach(() => world.close());

  it('pushes, reads, runs and a restart of the server count each push once', async () => {
    const open = (machine: string) => world.open({ definitions: () => definitions, machine, lookEveryMs: 50 });
    const server = await open('a');
    const push = (n: number, by = server) =>
      by.ingestion.push('events', [{ k: 'k', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), n }], `key ${n}`);
    const counted = async () => {
      const { rows: count, sum_n: sum } = await world.valuesOf(manifest, 'k', NOW + MICROS_PER_SECOND);
      return { count, sum };
    };
    expect(await push(1)).toMatchObject({ duplicate: false, durable: { disk: false, replicas: 0 } });
    expect(await push(1)).toMatchObject({ duplicate: true, durable: { disk: false, replicas: 0 } });
    expect(await counted()).toEqual({ count: 1n, sum: 1n });
    expect(await materializeAll(world, definitions)).toBe('finished');
    await push(2);
    expect(await counted()).toEqual({ count: 2n, sum: 3n });
    await world.place.server?.kill();
    await world.place.server?.start();
    await world.place.server?.command(`ACL SETUSER app on >secret ~* &* +@all ${commands}`);
    await expect.poll(() => push(3).catch(() => undefined), { timeout: 10_000 }).toMatchObject({ accepted: 1 });
    expect(await push(2, await open('b'))).toMatchObject({ duplicate: true });
    expect(await counted()).toEqual({ count: 3n, sum: 6n });
  });
});
