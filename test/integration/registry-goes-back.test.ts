// A registry that loses its last commits (a database that failed over to a replica, a file copied back, a new one over the
// old store) gives its numbers again: what is pushed and materialized under them still counts.

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  fixedClock,
  formatTimestamp,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
} from '../../src/core/index.ts';
import { openPushedTable } from '../../src/ingestion/index.ts';
import { createViewCodec, type OnlineStore, openOnlineStore } from '../../src/online/index.ts';
import type { Database } from '../../src/storage/index.ts';
import { materialize } from '../../src/offline/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { loseWriter } from '../support/lost-writer.ts';
import { fields, openOfflineWorld, TYPES, writeParquet } from '../support/offline-world.ts';
import { materializeView, oneView } from '../support/one-view.ts';
import { openPushesWorld, sale, NOW as SALES_NOW } from '../support/materialize-pushes.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { rows } from '../support/tier.ts';

const definitions = eventDefinitions();
const { manifest } = definitions;

interface Tables {
  online_runs: { number: number };
  online_run_sequence: { last: number };
}

async function loseRuns(database: Database): Promise<void> {
  await database.tables<Tables>().deleteFrom('online_runs').execute();
  await database.tables<Tables>().deleteFrom('online_run_sequence').execute();
}

const kinds = onlineStoreKinds();

describe.each(rows(kinds.slice(0, 1), kinds.slice(1)))('pushes on $name', (kind) => {
  let world: IngestionWorld;
  let acknowledged: number;
  beforeEach(async () => {
    world = await openIngestionWorld(kind);
    acknowledged = 0;
  });
  afterEach(() => world.close());

  const open = (machine: string): Promise<PushProcess> => world.open({ definitions: () => definitions, machine });
  const push = async ({ ingestion }: PushProcess): Promise<void> => {
    const row = { k: 'k', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), x: acknowledged };
    const pushed = await ingestion.push('events', [row]).catch(() => undefined);
    acknowledged += pushed?.accepted ?? 0;
  };
  const rowsRead = async () => Number((await world.valuesOf(manifest, 'k', NOW + MICROS_PER_SECOND))['rows']);

  /** A server pushes, the registry loses it or not, another registers and pushes, and the first goes on. */
  const pushByTwo = async (isLost: boolean): Promise<void> => {
    const first = await open('a');
    await push(first);
    await push(first);
    if (isLost) await loseWriter(world.database, first.ingestion.status().writer?.writer ?? 0);
    await push(await open('b'));
    await push(first);
  };

  it('of two servers count while the registry keeps what it was told', async () => {
    await pushByTwo(false);
    expect({ rows: await rowsRead(), acknowledged }).toEqual({ rows: 4, acknowledged: 4 });
  });

  it('of two servers that were given the same number count', async () => {
    await pushByTwo(true);
    expect(await rowsRead()).toBe(acknowledged);
  });

  it('by a server that is given its own number again count', async () => {
    const server = await open('a');
    await push(server);
    await loseWriter(world.database, server.ingestion.status().writer?.writer ?? 0);
    await server.ingestion.look();
    await push(server);
    expect(await rowsRead()).toBe(acknowledged);
  });

  /** Has a server push without a look at what the store has seen, as where its nodes lost that. */
  const unseen = (store: OnlineStore): OnlineStore => ({
    ...store,
    notes: async () => ({ registries: [], writer: 0, run: 0 }),
    writer: ({ writer, holder, lifetimeMs, onNode }) => store.writer({ writer, holder, lifetimeMs, onNode }),
  });

  it.each(['the first goes on', 'the second does'])(
    'of two servers that have one number all the same count under another, once the store refuses a part: %s',
    async (which) => {
      const first = await open('a');
      await push(first);
      await loseWriter(world.database, 1);
      const second = await world.open({ definitions: () => definitions, machine: 'b', between: unseen });
      for (const one of which.includes('first') ? [second, first] : [second, second, second]) await push(one);
      const looked = async () => {
        for (const one of [first, second]) await one.ingestion.look();
        return rowsRead();
      };
      // Of a push that is refused nobody is told that it counts, and it does once it is moved.
      await expect.poll(looked, { timeout: 10_000 }).toBe(which.includes('first') ? 3 : 4);
      const numbers = [first, second].map(({ ingestion }) => ingestion.status().writer?.writer);
      expect(new Set(numbers).size).toBe(2);
    },
  );

  it.each(rows(['the first goes on'], ['the second does']))(
    'of a server whose log is cuts ahead of the other that has its number count, after a run too: %s',
    async (which) => {
      const offline = await openOfflineWorld();
      try {
        /** They look for runs that ask while a run waits for their answers. */
        const servers: PushProcess[] = [];
        const run = async ({ log }: PushProcess): Promise<void> => {
          const own = { definitions, clock: world.clock, store: world.store, database: world.database, log };
          const places = { dataDirectory: offline.directory, askTimeoutMs: 500 };
          let isOver = false;
          const running = materialize({ ...offline.deps, ...own, ...places }, { incremental: false, dryRun: false });
          const ended = running.finally(() => (isOver = true));
          while (!isOver) {
            // As a server's own looks, which go on after one that failed.
            for (const { ingestion } of servers) await ingestion.look().catch(() => undefined);
            await new Promise(setImmediate);
          }
          await ended;
        };
        const first = await open('a');
        servers.push(first);
        for (let cuts = 0; cuts < 3; cuts++) {
          await push(first);
          await run(first);
        }
        await push(first);
        expect((await first.log.writers())[0]?.cut).toBeGreaterThan(3);
        // What came after the writer is lost with it: the runs, too.
        await loseWriter(world.database, 1);
        await loseRuns(world.database);
        const second = await world.open({ definitions: () => definitions, machine: 'b', between: unseen });
        servers.push(second);
        for (const one of which.includes('first') ? [second, first] : [second, second, second]) await push(one);
        // What was pushed is in a log, whether it was acknowledged or not, and counts once there.
        const pushed = which.includes('first') ? 6 : 7;
        const looked = async () => {
          for (const one of [first, second]) await one.ingestion.look();
          return rowsRead();
        };
        await run(second);
        await expect.poll(looked, { timeout: 10_000 }).toBe(pushed);
        await run(first);
        expect(await rowsRead()).toBe(pushed);
      } finally {
        await offline.close();
      }
    },
  );

  it('by a server that died and was settled have a row again, though the registry lost it then', async () => {
    const dead = await open('a');
    await push(dead);
    await dead.drop();
    const heir = await open('a');
    await push(heir);
    await heir.ingestion.settle();
    expect(heir.ingestion.status().settled).toEqual([1]);
    await loseWriter(world.database, 1);
    const looked = async () => {
      await heir.ingestion.look();
      return (await heir.log.writers()).map(({ number, state }) => [number, state]);
    };
    await expect.poll(looked, { timeout: 10_000 }).toEqual([
      [1, 'ended'],
      [2, 'open'],
    ]);
    expect(await rowsRead()).toBe(acknowledged);
  });

  it('by a server that died and was settled count on under another number, though the registry gave its number again', async () => {
    const dead = await open('a');
    await push(dead);
    await dead.drop();
    const heir = await world.open({ definitions: () => definitions, settleEveryMs: 0 });
    await heir.ingestion.settle();
    await loseWriter(world.database, 1);
    const second = await world.open({ definitions: () => definitions, machine: 'b', between: unseen });
    const other = { k: 'another', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), x: 1 };
    await second.ingestion.push('events', [other]);
    const looked = async () => {
      await heir.ingestion.look();
      return (await heir.log.writers()).map(({ number, state }) => [number, state]);
    };
    await expect.poll(looked, { timeout: 10_000 }).toEqual([
      [1, 'open'],
      [2, 'ended'],
    ]);
    expect(await rowsRead()).toBe(acknowledged);
    expect(await world.valuesOf(manifest, 'another', NOW + MICROS_PER_SECOND)).toMatchObject({ rows: 1n });
  });

  it('by a server that died count once another has looked, though the registry lost its row', async () => {
    const dead = await open('a');
    await push(dead);
    await push(dead);
    await dead.drop();
    await loseWriter(world.database, 1);
    const heir = await world.open({ definitions: () => definitions, machine: 'a', log: { leaseMs: 20 } });
    await push(heir);
    await expect.poll(() => heir.ingestion.settle(), { timeout: 10_000 }).toBe(1);
    expect(await rowsRead()).toBe(acknowledged);
    const rows = await heir.log.writers();
    expect(rows.map(({ number, state }) => [number, state])).toEqual([
      [1, 'ended'],
      [2, 'open'],
    ]);
  });

  it.each(['another registers', 'nobody does'])(
    'count after runs that planned while the registry lacked their writer’s row, and %s',
    async (which) => {
      const offline = await openOfflineWorld();
      try {
        const first = await open('a');
        const run = async (incremental: boolean): Promise<void> => {
          const own = { definitions, clock: world.clock, store: world.store, database: world.database };
          const places = { log: first.log, dataDirectory: offline.directory, askTimeoutMs: 0 };
          await materialize({ ...offline.deps, ...own, ...places }, { incremental, dryRun: false });
          expect(await rowsRead()).toBe(acknowledged);
        };
        await push(first);
        await loseWriter(world.database, 1);
        if (which === 'another registers') await push(await open('b'));
        await run(false);
        await push(first);
        await first.ingestion.look();
        await run(true);
        await push(first);
        await run(false);
        expect((await first.log.writers())[0]).toMatchObject({ number: 1, token: expect.not.stringMatching('lost') });
      } finally {
        await offline.close();
      }
    },
  );

  it('under a new registry are refused by a store that another one has filled', async () => {
    await push(await open('a'));
    const fresh = await openIngestionWorld({ prepare: async () => ({ ...world.place, remove: async () => {} }) });
    try {
      const server = await fresh.open({ definitions: () => definitions });
      const row = { k: 'k', happened: formatTimestamp(NOW), x: 1 };
      await expect(server.ingestion.push('events', [row])).rejects.toThrow(/registry/);
    } finally {
      await fresh.close();
    }
  });
});

describe('a run', () => {
  it('moves no boundary that a writer may not know whose row is lost', async () => {
    const world = await openPushesWorld(kinds[0] as (typeof kinds)[number]);
    const hoursAgo = (hours: number) => SALES_NOW - hours * MICROS_PER_HOUR;
    const { database } = world.deps;
    try {
      await world.file('sales-1.parquet', [sale('a', hoursAgo(3), 1)]);
      await world.run();
      await openPushedTable(database);
      const silent = world.openIngestion({ isSilent: true });
      await silent.push('sales', [{ shop: 'a', at: formatTimestamp(hoursAgo(1)), price: 2 }]);
      await loseWriter(database, 1);
      await world.file('sales-2.parquet', [sale('a', hoursAgo(2), 4)]);
      await world.run();
      expect(await world.read('a')).toMatchObject({ sum: 3, lastPrice: 2 });
      // It is back, and answers.
      await silent.push('sales', [{ shop: 'a', at: formatTimestamp(hoursAgo(0.5)), price: 8 }]);
      const answering = setInterval(() => void silent.look(), 20);
      await world.run().finally(() => clearInterval(answering));
      expect(await world.read('a')).toMatchObject({ sum: 15, lastPrice: 8 });
    } finally {
      await world.close();
    }
  });

  const columns = fields({ key: TYPES.string, at: TYPES.timestamp, v: TYPES.float64 });

  /** The numbers that the nodes' marks name after two runs, where the registry lost the first or not. */
  const marksOf = async (isLost: boolean) => {
    const world = await openOfflineWorld();
    const [clock, events] = [fixedClock(NOW), join(world.directory, 'events.parquet')];
    const store = await openOnlineStore(`lmdb:${join(world.directory, 'online')}`, { project: 'test', clock });
    try {
      await writeParquet(world.connection, events, columns, [{ key: 'k', at: NOW - MICROS_PER_MINUTE, v: 1 }]);
      const manifest = oneView(events, columns);
      const marks = async () => (await store.marks(createViewCodec(manifest, 'v').version)).map(({ run }) => run);
      const all: (number | undefined)[] = [];
      for (let i = 0; i < 2; i++) {
        await materializeView(world, manifest, store, clock, false);
        all.push(...(await marks()));
        if (isLost) await loseRuns(world.deps.database);
      }
      return all;
    } finally {
      await store.close();
      await world.close();
    }
  };

  it('has a number above those of the runs before', async () => {
    expect(await marksOf(false)).toEqual([1, 2]);
  });

  it('has one above the number that the store knows, whatever the registry lost', async () => {
    const [first = 0, second = 0] = await marksOf(true);
    expect(second).toBeGreaterThan(first);
  });
});
