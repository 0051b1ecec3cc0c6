// A server's clock that steps by a day and back while it takes pushes: what it took is read all the same, at most a minute
// later.

import { afterEach, describe, expect, it } from 'vitest';
import {
  formatTimestamp,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  systemClock,
} from '../../src/core/index.ts';
import type { OnlineStore } from '../../src/online/index.ts';
import { withoutStepsAhead } from '../../src/online/lmdb/step-guard.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { materializeAll } from '../support/offline-beside.ts';
import { everyOnlineStoreKind } from '../support/online-stores.ts';

const definitions = eventDefinitions({ ttlMicros: 30 * MICROS_PER_DAY });
const { manifest } = definitions;

/** LMDB's time as `openOnlineStore` has it, by the clock of the test; Redis has a clock of its own, which is right. */
const guarded =
  ({ clock, place }: IngestionWorld) =>
  (store: OnlineStore): OnlineStore =>
    place.server === undefined ? { ...store, ...withoutStepsAhead(clock) } : store;

describe.each(everyOnlineStoreKind())('on $name', (kind) => {
  let world: IngestionWorld;
  afterEach(() => world.close());

  it.each([
    ['ahead', MICROS_PER_DAY],
    ['behind', -MICROS_PER_DAY],
  ])('pushes while the clock is a day %s are read, and hide nothing, once it is right again', async (_, step) => {
    world = await openIngestionWorld(kind);
    const start = systemClock.nowMicros();
    world.clock.now = start;
    const open = (machine: string) => world.open({ definitions: () => definitions, machine, between: guarded(world) });
    const [server, other] = [await open('a'), await open('b')];
    const push = ({ ingestion }: PushProcess, n: number) =>
      ingestion.push(
        'events',
        [{ k: 'k', happened: formatTimestamp(start - MICROS_PER_HOUR + n), x: n, n }],
        `key ${n}`,
      );
    const read = async () => {
      const [view] = await world.read(manifest, ['k'], start + MICROS_PER_MINUTE, MICROS_PER_MINUTE);
      const [lastX, count, , sum] = view?.values ?? [];
      return { lastX, count, sum };
    };
    await push(server, 1);
    await push(server, 2);
    world.clock.now = start + step;
    await push(server, 3);
    await push(other, 4);
    world.clock.now = start + MICROS_PER_MINUTE;
    expect(await read()).toEqual({ lastX: 4, count: 4n, sum: 10n });
    await push(server, 5);
    await push(other, 6);
    expect(await read()).toEqual({ lastX: 6, count: 6n, sum: 21n });
    for (const one of [server, other]) await one.close();
    expect(await materializeAll(world, definitions)).toBe('finished');
    expect(await read()).toEqual({ lastX: 6, count: 6n, sum: 21n });
  });
});
