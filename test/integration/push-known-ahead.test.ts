// Pushes whose known time lies ahead: by a server's wrong clock, or because their rows say so.

import { afterEach, describe, expect, it } from 'vitest';
import {
  formatTimestamp,
  type Micros,
  MICROS_PER_DAY,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
  systemClock,
} from '../../src/core/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld } from '../support/ingestion-world.ts';
import { letTimePass } from '../support/let-time-pass.ts';
import { type OnlineStoreKind, onlineStoreKinds } from '../support/online-stores.ts';
import { rows } from '../support/tier.ts';

const definitions = eventDefinitions();
const { manifest } = definitions;

let world: IngestionWorld;
afterEach(() => world.close());

/** Stores whose clock is right, whatever the clock of a server says. */
const withItsOwnClock = ({ prepare }: OnlineStoreKind) => ({
  prepare: async () => {
    const place = await prepare();
    return { ...place, open: (_: unknown, project?: string) => place.open(systemClock, project) };
  },
});

/** `last_x` of key `k`, as servers read it: rows may be known a minute later. */
async function lastX(at: Micros) {
  const [view] = await world.read(manifest, ['k'], at, MICROS_PER_MINUTE);
  return [view?.values[0], view?.statuses[0]];
}

/** What is read of two pushes, the second taken by a server whose clock is so far ahead. */
async function afterPushAhead(kind: OnlineStoreKind, ahead: Micros) {
  world = await openIngestionWorld(withItsOwnClock(kind));
  const now = systemClock.nowMicros();
  world.clock.now = now;
  const server = await world.open({ definitions: () => definitions });
  const push = (minutesAgo: number, x: number) =>
    server.ingestion.push('events', [{ k: 'k', happened: formatTimestamp(now - minutesAgo * MICROS_PER_MINUTE), x }]);
  await push(30, 1);
  world.clock.now += ahead;
  await push(20, 2);
  return lastX(now + MICROS_PER_SECOND);
}

/** What is read, once a row is known, of its push so many days before. */
async function onceKnown(kind: OnlineStoreKind, days: number) {
  world = await openIngestionWorld(kind);
  const limits = { maxAheadMicros: 10 * MICROS_PER_DAY };
  const server = await world.open({ definitions: () => definitions, limits });
  const known = NOW + days * MICROS_PER_DAY;
  const [happened, knownText] = [known - MICROS_PER_MINUTE, known].map(formatTimestamp);
  await server.ingestion.push('events', [{ k: 'k', happened, known: knownText, x: 7 }]);
  await letTimePass(world.store, world.place.server, NOW, days * MICROS_PER_DAY);
  return lastX(known);
}

const kinds = onlineStoreKinds();

describe.each(rows(kinds.slice(0, 1), kinds.slice(1)))('on $name', (kind) => {
  it('a server whose clock is right takes a push that all read at once', async () => {
    expect(await afterPushAhead(kind, 0)).toEqual([2, 'PRESENT']);
  });

  it('and so does one whose clock is ten minutes ahead', async () => {
    expect(await afterPushAhead(kind, 10 * MICROS_PER_MINUTE)).toEqual([2, 'PRESENT']);
  });

  it('a row that is known later is read when its time comes', async () => {
    expect(await onceKnown(kind, 1)).toEqual([7, 'PRESENT']);
  });

  it('also when that is later than its record would live', async () => {
    expect(await onceKnown(kind, 5)).toEqual([7, 'PRESENT']);
  });
});
