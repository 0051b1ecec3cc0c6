// A keyed push whose claim the store lost, and which another server took under the same key before the first had claimed it
// again: it counts once.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatTimestamp, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../src/core/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type HeldClaims, holdClaims } from '../support/held-claims.ts';
import { type IngestionWorld, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { materializeAll } from '../support/offline-beside.ts';
import { redisWith } from '../support/online-stores.ts';
import { hasRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

if (!hasRedis()) skipBecause('claims that Redis loses: there is no redis-server on this machine');

const definitions = eventDefinitions();
const { manifest } = definitions;
const ROWS = [{ k: 'k', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), x: 2, n: 5 }];

describe.skipIf(!hasRedis())('a keyed push whose claim was lost', () => {
  let world: IngestionWorld;
  let claims: HeldClaims;
  let [first, other]: PushProcess[] = [];
  beforeEach(async () => {
    world = await openIngestionWorld(redisWith({}));
    claims = holdClaims();
    first = await world.open({ definitions: () => definitions, machine: 'a', between: claims.between });
    await first.ingestion.push('events', ROWS, 'key');
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
  const once = { rows: 1n, sum_n: 5n };

  it('counts once where nobody asked again', async () => {
    await claims.letGo();
    expect(await counted()).toEqual(once);
  });

  describe('and which another server took meanwhile', () => {
    beforeEach(async () => {
      await other?.ingestion.push('events', ROWS, 'key');
      await claims.letGo();
    });

    it('counts once (datapath/C1)', async () => {
      expect(await counted()).toEqual(once);
    });

    it('counts once by the log, too (datapath/C1)', async () => {
      await Promise.all([first?.close(), other?.close()]);
      expect(await materializeAll(world, definitions)).toBe('finished');
      expect(await counted()).toEqual(once);
    });
  });
});
