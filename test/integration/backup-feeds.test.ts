// A backup taken while a feed is read holds where the feed stands as of the events that it holds: whoever goes on at the other
// place neither misses an event nor counts one again, however far the reader was ahead of what it had shipped.

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openQuarantine, type ReleaseBatch } from '../../src/checks/index.ts';
import { rowsOwners } from '../../src/app/rows-owners.ts';
import { migrateAllTables } from '../../src/app/migrate-tables.ts';
import { formatTimestamp, MICROS_PER_HOUR, MICROS_PER_MINUTE, silentProgress } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { createBackup, restoreBackup } from '../../src/housekeeping/index.ts';
import type { Feed } from '../../src/ingestion/index.ts';
import { shipLog } from '../../src/offline/index.ts';
import { openObjectStore } from '../../src/storage/index.ts';
import { checkedEvents } from '../support/checked-events.ts';
import { definitionsOf, eventDefinitions } from '../support/event-definitions.ts';
import {
  type IngestionWorld,
  NOW,
  openIngestionWorld,
  type PushProcess,
  writersOf,
} from '../support/ingestion-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { fullIt } from '../support/tier.ts';

const definitions = eventDefinitions();
const events = definitions.manifest.sources['events'] as SourceSpec;
const ID = { source: 'events', feed: 'place/0' };
const rowsOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({
    k: 'a',
    happened: formatTimestamp(NOW - MICROS_PER_MINUTE),
    n: from + i,
  }));
const [lmdb] = onlineStoreKinds();

describe('a feed in a backup', () => {
  let worlds: IngestionWorld[];
  beforeEach(async () => {
    const kind = lmdb as NonNullable<typeof lmdb>;
    worlds = [await openIngestionWorld(kind), await openIngestionWorld(kind)];
    for (const { database, clock } of worlds) await migrateAllTables(database, clock);
  });
  afterEach(async () => {
    for (const world of worlds) await world.close();
  });

  const open = (world: IngestionWorld, more: object = {}): Promise<PushProcess> =>
    world.open({ definitions: () => definitions, machine: 'a', lookEveryMs: 20, ...more });
  const push = (feed: Feed, from: number, to: number) => feed.push(rowsOf(from, to), from, to);
  const common = async ({ database, objects, clock }: IngestionWorld) => ({
    database,
    objects,
    place: 'there',
    project: 'test',
    migrateAll: (of: typeof database) => migrateAllTables(of, clock),
    owners: await rowsOwners({ objects: async () => objects } as never),
    progress: silentProgress,
  });
  const ship = async ({ runs, clock }: IngestionWorld, { log }: PushProcess): Promise<void> =>
    expect(await shipLog({ log, runs, clock }, 10_000)).toEqual([]);
  /** Backs the first place up, and restores the other from it. */
  const move = async (here: IngestionWorld, there: IngestionWorld): Promise<void> => {
    const backup = openObjectStore(`file:${join(here.places.objects, '..', 'backup')}`);
    await createBackup({ ...(await common(here)), clock: here.clock, to: backup, extras: [], version: '1' });
    const to = { ...(await common(there)), from: backup, pathOf: () => '', relocate: async () => {} };
    await restoreBackup(to, { force: false });
  };
  /** The events of the log that anybody can read, by what their rows say. */
  const logged = async ({ log }: PushProcess): Promise<number[]> => {
    const found: number[] = [];
    for (const { number, shipped } of await log.writers()) {
      for await (const entry of log.read(number, 0, shipped))
        found.push(...entry.rows(events).map(({ row }) => Number(row['n'])));
    }
    return found.sort((a, b) => a - b);
  };
  const goOn = async (world: IngestionWorld): Promise<number[]> => {
    const heir = await open(world);
    const feed = heir.ingestion.feed(ID);
    const at = (await feed.position()) as number;
    if (at < 30) await push(feed, at, 30);
    await heir.close();
    return logged(await open(world));
  };
  const all = Array.from({ length: 30 }, (_, n) => n);

  /** A reader of 10 events. */
  const reading = async (more: object = {}) => {
    const [here, there] = worlds as [IngestionWorld, IngestionWorld];
    const process = await open(here, more);
    const feed = process.ingestion.feed(ID);
    await feed.begin(0);
    await push(feed, 0, 10);
    return { here, there, process, feed };
  };

  it('an ask that a killed backup left is dropped by a later one, and one that is under way is not', async () => {
    const here = worlds[0] as IngestionWorld;
    const server = await open(here);
    await push(server.ingestion.feed(ID), 0, 2);
    const version = '(backup)';
    const ask = (askedMicros: number) =>
      here.ask(definitions.manifest, { view: version, version: `${version}${askedMicros}`, askedMicros });
    const [left, underWay] = [await ask(NOW - 2 * MICROS_PER_HOUR), await ask(NOW - MICROS_PER_MINUTE)];
    await ship(here, server);
    expect(await Promise.all([left, underWay].map(async ({ number }) => (await here.runs.row(number))?.state))).toEqual(
      [undefined, 'asked'],
    );
  });

  it('stands where what was shipped ends, not where its reader had come to', async () => {
    const { here, there, process, feed } = await reading();
    await ship(here, process);
    await push(feed, 10, 20);
    await feed.keep(20);
    await move(here, there);
    expect(await goOn(there)).toEqual(all);
  });

  // twin: test/integration/backup-feeds.test.ts > stands where what was shipped ends, not where its reader had come to
  fullIt('stands past what was shipped, though the store told nobody of it yet', async () => {
    let isAway = false;
    const between = writersOf((writer) => ({
      claims: (ids) => (isAway ? Promise.reject(new Error('away')) : writer.claims(ids)),
    }));
    const { here, there, process } = await reading({ between });
    isAway = true;
    await ship(here, process);
    await move(here, there);
    expect(await goOn(there)).toEqual(all);
  });

  // twin: test/integration/backup-feeds.test.ts > stands where what was shipped ends, not where its reader had come to
  fullIt('stands where a dead reader’s events end, once they are settled', async () => {
    const { here, there, process } = await reading();
    await process.drop();
    const heir = await open(here);
    await heir.ingestion.settle();
    await ship(here, heir);
    await move(here, there);
    expect(await goOn(there)).toEqual(all);
  });

  it('with a row that was put back has it in the log or in quarantine, and in one of them', async () => {
    const [here, there] = worlds as [IngestionWorld, IngestionWorld];
    const [quarantine, elsewhere] = await Promise.all(
      worlds.map(({ database }) => openQuarantine(database, { maxBytes: 1e6 })),
    );
    const strict = definitionsOf(checkedEvents());
    const process = await open(here, { definitions: () => strict, quarantine: async () => quarantine });
    const { ingestion } = process;
    const happened = formatTimestamp(NOW - MICROS_PER_MINUTE);
    const release = async (n: number): Promise<void> => {
      await ingestion.push('events', [{ k: 'a', happened, x: -1, n }]);
      const [batch] = (await quarantine?.beginRelease('events')) ?? [];
      const { key, rows } = batch as ReleaseBatch;
      const feed = ingestion.feed({ source: 'events', feed: key });
      await feed.begin(0);
      const json = rows.map(({ row }) => JSON.parse(row) as object);
      await feed.push(json, 0, 1, { isPutBack: true });
      await quarantine?.finishRelease(key, { at: NOW, by: 'me', reason: null });
    };
    await release(1);
    await ship(here, process);
    await release(2);
    await move(here, there);
    expect(await logged(await open(there))).toEqual([1]);
    const held = (await elsewhere?.rows('events')) ?? [];
    expect(held.map(({ row }) => (JSON.parse(row) as { n: number }).n)).toEqual([2]);
    expect(await elsewhere?.beginRelease('events')).toMatchObject([{ rows: [{ id: held[0]?.id }] }]);
  });
});
