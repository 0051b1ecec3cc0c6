// A replica of Redis that comes and goes all the time, and takes over in the end: every acknowledged push with an
// Idempotency-Key counts once.

import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatTimestamp, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../src/core/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { onRedis } from '../support/online-stores.ts';
import { type RedisPair, startRedisPair } from '../support/redis-pair.ts';
import { hasRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';
import { isFull, rows } from '../support/tier.ts';

if (!hasRedis()) skipBecause('a replica that comes and goes: there is no redis-server on this machine');

const definitions = eventDefinitions();
const { manifest } = definitions;
/** How often the replica goes and comes back, and how long it is there or away each time. */
const [ROUNDS, EACH_MS] = isFull ? [8, 1000] : [2, 250];

describe.skipIf(!hasRedis())('keyed pushes while the replica of Redis comes and goes', () => {
  let pair: RedisPair;
  let world: IngestionWorld;
  let servers: readonly PushProcess[];
  beforeEach(async () => {
    world = await openIngestionWorld(onRedis(async () => (pair = await startRedisPair())));
    const open = (machine: string) => world.open({ definitions: () => definitions, machine, lookEveryMs: 50 });
    servers = [await open('a'), await open('b')];
  }, 60_000);
  afterEach(() => world.close());

  it.each(rows([['away', false] as const], [['there', true] as const]))(
    'count once each after a failover to it when it is %s, and none hangs',
    { timeout: 120_000 },
    async (_, isThere) => {
      const row = (n: number) => [{ k: 'k', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), n }];
      const acknowledged = new Set<number>();
      let sent = 0;
      /** To one server, then to the other, as a client behind a load balancer repeats a push that was refused. */
      const push = async (n: number, by: number): Promise<void> => {
        const server = servers[by % 2] as PushProcess;
        await server.ingestion.push('events', row(n), `key ${n}`).then(
          () => acknowledged.add(n),
          (error: { code?: string }) => expect(error.code).toMatch(/^HR_(ONLINE_UNAVAILABLE|PUSH_UNDER_WAY)$/),
        );
      };
      let isFlapping = true;
      const client = async (first: number): Promise<void> => {
        while (isFlapping) {
          const n = ++sent;
          for (let tries = 0; tries < 3 && !acknowledged.has(n) && isFlapping; tries++) await push(n, first + tries);
          await delay(5);
        }
      };
      const clients = Promise.all([0, 1, 2].map(client));
      for (let i = 0; i < ROUNDS; i++) {
        await pair.cutOff();
        await delay(EACH_MS);
        pair.letBack();
        await delay(EACH_MS);
      }
      if (!isThere) {
        await pair.cutOff();
        await delay(EACH_MS);
      }
      await pair.failOver();
      isFlapping = false;
      await clients;
      const before = new Set(acknowledged);
      expect(before.size).toBeGreaterThan(0);
      const repeat = async (n: number): Promise<boolean> => {
        await push(n, n);
        return acknowledged.has(n);
      };
      for (let n = 1; n <= sent; n++) await expect.poll(() => repeat(n), { timeout: 20_000 }).toBe(true);
      const read = () => world.valuesOf(manifest, 'k', NOW + MICROS_PER_SECOND);
      const { rows: count, sum_n: sum } = await read();
      expect({ count, sum }).toEqual({ count: BigInt(sent), sum: BigInt((sent * (sent + 1)) / 2) });
    },
  );
});
