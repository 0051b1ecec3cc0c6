// Feeds after a restore: each event that the restored log holds counts once, and what it does not hold is read again.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatTimestamp } from '../../src/core/index.ts';
import { eventRows } from '../../src/events/index.ts';
import { feedRows } from '../../src/ingestion/index.ts';
import type { OnlineStore } from '../../src/online/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { onlineStoreKinds, type OnlineStorePlace } from '../support/online-stores.ts';

const definitions = eventDefinitions();
const happened = formatTimestamp(NOW - 60_000_000);
const rows = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ k: 'a', happened, n: from + i }));
const kinds = onlineStoreKinds().filter(({ name }) => name === 'lmdb');

describe.each(kinds)('feeds after a restore, on $name', (kind) => {
  let world: IngestionWorld;
  /** The online store of the place where it is restored: it begins empty. */
  let fresh: OnlineStorePlace;
  beforeEach(async () => {
    world = await openIngestionWorld(kind);
    fresh = await kind.prepare();
  });
  afterEach(async () => {
    await world.close();
    await fresh.remove();
  });
  const open = (machine: string): Promise<PushProcess> => world.open({ definitions: () => definitions, machine });
  const openElsewhere = async (machine: string): Promise<PushProcess> => {
    const store = await fresh.open(world.clock);
    const between = (own: OnlineStore): OnlineStore => {
      void own.close();
      return store;
    };
    return world.open({ definitions: () => definitions, machine, between });
  };
  const feedOf = ({ ingestion }: PushProcess, name = 'kafka/t/0') => ingestion.feed({ source: 'events', feed: name });
  /** What a restore makes of the rows. */
  const restore = async (): Promise<PushProcess> => {
    await world.database.transaction<unknown, void>(async (trx) => {
      for (const { settle } of [eventRows, feedRows]) await settle?.(trx);
    });
    return openElsewhere('c');
  };

  it('stand where the log ends that came along, not where the others had come to', async () => {
    const first = await open('a');
    expect(await feedOf(first).begin(0)).toBe(0);
    await feedOf(first).push(rows(0, 3), 0, 3);
    await first.close();
    // What it takes is not shipped when the backup is made.
    const second = await open('b');
    await feedOf(second).push(rows(3, 5), 3, 5);
    await feedOf(second).keep(5);
    expect(await feedOf(second).position()).toBe(5);
    await second.drop();

    const third = await restore();
    expect(await feedOf(third).position()).toBe(3);
    expect(await feedOf(third).push(rows(3, 6), 3, 6)).toMatchObject({ accepted: 3, duplicate: false });
    expect(await feedOf(third).position()).toBe(6);
    await feedOf(third).keep(6);
    await third.close();
    const counted: number[] = [];
    const reader = await openElsewhere('d');
    for (const { number, shipped } of await reader.log.writers())
      for await (const entry of reader.log.read(number, 0, shipped, 'events')) counted.push(entry.count);
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(6);
    // Settled once: from now on it goes by its place and the claims.
    expect(await feedOf(reader).position()).toBe(6);
  });

  it('begin anew where the log holds nothing of them', async () => {
    const first = await open('a');
    await feedOf(first, 'kafka/t/1').begin(0);
    await feedOf(first, 'kafka/t/1').push(rows(0, 3), 0, 3);
    await feedOf(first, 'kafka/t/1').keep(3);
    await first.drop();
    const second = await restore();
    expect(await feedOf(second, 'kafka/t/1').position()).toBeUndefined();
  });
});
