// A keyed push whose claim the store lost, and which another server took under the same key before the first had claimed it
// again: it counts once.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatTimestamp, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../src/core/index.ts';
import type { PushResult } from '../../src/ingestion/index.ts';
import { NotDurable } from '../../src/online/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { holdClaims } from '../support/held-claims.ts';
import {
  type IngestionWorld,
  NOW,
  openIngestionWorld,
  type PushProcess,
  writersOf,
} from '../support/ingestion-world.ts';
import { materializeAll } from '../support/offline-beside.ts';
import { lmdb, onRedis, redisWith } from '../support/online-stores.ts';
import { type RedisPair, startRedisPair } from '../support/redis-pair.ts';
import { hasRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';
import { fullDescribe } from '../support/tier.ts';

if (!hasRedis()) skipBecause('claims that Redis loses: there is no redis-server on this machine');

const definitions = eventDefinitions();
const { manifest } = definitions;
const ROWS = [{ k: 'k', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), x: 2, n: 5 }];
const OTHERS = [100, 200].map((n) => ({ k: 'k', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), n }));

describe.skipIf(!hasRedis())('a keyed push whose claim was lost', () => {
  let world: IngestionWorld;
  let claims: ReturnType<typeof holdClaims>;
  let [first, other]: PushProcess[] = [];
  beforeEach(async () => {
    world = await openIngestionWorld(redisWith({}));
    claims = holdClaims();
    first = await world.open({ definitions: () => definitions, machine: 'a', between: claims.between });
    await first.ingestion.push('events', ROWS, 'key');
    // Into the same part: they count, whatever becomes of the other.
    await first.ingestion.push('events', OTHERS);
    claims.hold();
    await world.place.server?.kill();
    await world.place.server?.start();
    await vi.waitUntil(() => counted().catch(() => undefined), 30_000);
    other = await world.open({ definitions: () => definitions, machine: 'b' });
  });
  afterEach(() => world.close());

  const counted = async () => {
    const { rows, sum_n } = await world.valuesOf(manifest, 'k', NOW + MICROS_PER_SECOND);
    return { rows, sum_n };
  };
  const once = { rows: 3n, sum_n: 305n };

  it('counts once where nobody asked again', async () => {
    await claims.letGo();
    expect(await counted()).toEqual(once);
  });

  describe('and which another server took meanwhile', () => {
    beforeEach(async () => {
      await other?.ingestion.push('events', ROWS, 'key');
      await claims.letGo();
    });

    it('counts once', async () => {
      expect(await counted()).toEqual(once);
    });

    it('counts once by the log, too', async () => {
      await Promise.all([first?.close(), other?.close()]);
      expect(await materializeAll(world, definitions)).toBe('finished');
      expect(await counted()).toEqual(once);
      const cuts = world.database.tables<{ event_cuts: { writer: number; voids: string } }>().selectFrom('event_cuts');
      const voids = await cuts.select('voids').orderBy('writer').execute();
      expect(voids.map((row) => row.voids)).toEqual(['[0]', '[]']);
    });

    it('gives the first server’s client the answer of the push that counts', async () => {
      expect(await first?.ingestion.push('events', ROWS, 'key')).toMatchObject({ accepted: 1, duplicate: true });
    });
  });
});

describe('a keyed push whose claim the store took and can’t keep safely', () => {
  let world: IngestionWorld;
  let server: PushProcess;
  let isUnsafe = true;
  beforeEach(async () => {
    world = await openIngestionWorld(lmdb);
    isUnsafe = true;
    const between = writersOf((writer) => ({
      async claim(...asked) {
        const claims = await writer.claim(...asked);
        if (isUnsafe) throw new NotDurable('only 0 of its 1 replicas have what was written');
        return claims;
      },
    }));
    server = await world.open({ definitions: () => definitions, machine: 'a', between });
  });
  afterEach(() => world.close());

  const push = ({ ingestion }: PushProcess) => ingestion.push('events', ROWS, 'key');

  it('is answered 503 and counts nothing, and the same push is free to come again, to any server', async () => {
    const message = expect.stringMatching(/0 of its 1 replicas .*Nothing of the push counts; send it again/);
    for (let i = 0; i < 2; i++)
      await expect(push(server)).rejects.toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE', message });
    expect(await world.valuesOf(manifest, 'k')).toMatchObject({ rows: 0n });
    isUnsafe = false;
    const other = await world.open({ definitions: () => definitions, machine: 'b' });
    expect(await push(other)).toMatchObject({ accepted: 1, duplicate: false });
    expect(await push(server)).toMatchObject({ accepted: 1, duplicate: true });
    expect(await world.valuesOf(manifest, 'k')).toMatchObject({ rows: 1n, sum_n: 5n });
  });

  it('is void for good once its cut is sealed', async () => {
    await push(server).catch(() => {});
    isUnsafe = false;
    await push(server);
    await server.close();
    expect(await materializeAll(world, definitions)).toBe('finished');
    expect(await world.valuesOf(manifest, 'k')).toMatchObject({ rows: 1n, sum_n: 5n });
  });
});

// twin: test/integration/keyed-push-lost-claim.test.ts > a keyed push whose claim was lost
fullDescribe.skipIf(!hasRedis())('a keyed push while Redis’ replica is away, before a failover to it', () => {
  let pair: RedisPair;
  let world: IngestionWorld;
  let first: PushResult | Error;
  let again: PushResult | undefined;
  let counted: object | undefined;
  const claims = holdClaims();

  // The first answer is lost on its way to the client, which asks another server again.
  beforeAll(async () => {
    world = await openIngestionWorld(onRedis(async () => (pair = await startRedisPair())));
    const [a, b] = [
      await world.open({ definitions: () => definitions, machine: 'a', between: claims.between }),
      await world.open({ definitions: () => definitions, machine: 'b' }),
    ];
    const push = ({ ingestion }: PushProcess, key: string, rows = ROWS) => ingestion.push('events', rows, key);
    // While the replica is there.
    for (const server of [a, b]) await push(server, 'before', [{ ...ROWS[0], k: 'other' } as (typeof ROWS)[0]]);
    await pair.cutOff();
    first = await push(a, 'key').catch((error: Error) => error);
    claims.hold();
    await pair.failOver();
    again = await vi.waitUntil(() => push(b, 'key').catch(() => undefined), 30_000);
    await claims.letGo();
    const count = () => world.valuesOf(manifest, 'k', NOW + MICROS_PER_SECOND).catch(() => undefined);
    counted = await vi.waitUntil(count, 30_000);
  }, 60_000);
  afterAll(() => world.close());

  it('is taken by the server that is asked again', () => {
    expect(again).toMatchObject({ accepted: 1 });
  });

  it('is not acknowledged before the replica is back', () => {
    expect(first).toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
  });

  it('counts once after the failover', () => {
    expect(counted).toMatchObject({ rows: 1n, sum_n: 5n });
  });
});
