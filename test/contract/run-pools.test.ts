// Slots of pools as rows on every database: never more than there are, whoever asks at once, and a run's own until it ends.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fixedClock } from '../../src/core/index.ts';
import { getRun } from '../../src/orchestrator/shown-runs.ts';
import { poolSlotRows } from '../../src/orchestrator/rows/run-rows-owner.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { type Database, openObjectStore } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { batchOf, claimed, newRun, passLeases, pipeline, rowsOf, stepOf } from '../support/run-rows.ts';
import { openTwoStores, type TwoStores } from '../support/two-stores.ts';

describe.each(testDatabases('slots of pools'))('on $name', (databases) => {
  let stores: TwoStores;
  let db: Database;
  let store: RunStore;
  let second: RunStore;

  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    stores = await openTwoStores(await databases.newUrl());
    ({ db, store, second } = stores);
  });
  afterEach(() => stores.close());

  const begin = async (id: string): Promise<number> => {
    await store.create(newRun(id, { state: 'running' }));
    return (await store.take(id, `elsewhere/1/${id}`)).epoch;
  };
  const ask = async (id: string, epoch: number, wanted: number, size = 4, by = store) => {
    const given = await by.askSlots(id, epoch, [{ pool: 'warehouse', size, wanted }]);
    return given === 'lost' ? given : [given[0]?.held, given[0]?.share];
  };
  const keep = (id: string, epoch: number, number: number, slots: number, wanted = slots) =>
    store.flush(id, epoch, number, batchOf({ pools: [{ pool: 'warehouse', slots, wanted }] }));
  const slots = async (): Promise<Record<string, number>> =>
    Object.fromEntries((await rowsOf(db)).pipeline_pools.map(({ run_id: run, slots: of }) => [run, of]));

  it('are given as far as there are some, and to one that asks again the same', async () => {
    const [a, b] = [await begin('a'), await begin('b')];
    expect(await ask('a', a, 3)).toEqual([3, 3]);
    expect(await ask('a', a, 3, 4, second)).toEqual([3, 3]);
    expect(await ask('b', b, 3, 4, second)).toEqual([1, 2]);
    expect(await slots()).toEqual({ a: 3, b: 1 });
    // Who has more than its share hears of it, and gives back what others wait for.
    expect(await ask('a', a, 3)).toEqual([3, 2]);
    await keep('a', a, 1, 2, 3);
    expect(await ask('b', b, 3)).toEqual([2, 2]);
    expect(await slots()).toEqual({ a: 2, b: 2 });
  });

  it('are never more than there are, of many that ask at once', async () => {
    const epochs = await Promise.all(Array.from({ length: 8 }, (_, at) => begin(`r${at}`)));
    const batches = epochs.map(() => 0);
    for (let round = 0; round < 4; round++) {
      const by = (at: number): RunStore => (at % 2 === 0 ? store : second);
      await Promise.all(epochs.map((epoch, at) => ask(`r${at}`, epoch, 1 + (at % 3), 5, by(at))));
      // What the last to ask left free is taken by who is next.
      await Promise.all(epochs.map((epoch, at) => ask(`r${at}`, epoch, 1 + (at % 3), 5)));
      const held = Object.entries(await slots());
      expect(held.reduce((sum, [, of]) => sum + of, 0)).toBe(5);
      for (const [run, of] of held) {
        const at = Number(run.slice(1));
        if (of > 0) await keep(run, epochs[at] ?? 0, (batches[at] = (batches[at] ?? 0) + 1), 0, 1);
      }
    }
  });

  it('are of each pool apart', async () => {
    const [a, b] = [await begin('a'), await begin('b')];
    const wanted = { warehouse: { size: 2, wanted: 2 }, gpu: { size: 1, wanted: 4 } };
    const both = Object.entries(wanted).map(([pool, of]) => ({ pool, ...of }));
    const given = async (id: string, epoch: number) => {
      const all = await store.askSlots(id, epoch, both);
      return all === 'lost' ? all : all.map(({ pool, held, share }) => `${pool} ${held} ${share}`);
    };
    expect(await given('a', a)).toEqual(['warehouse 2 2', 'gpu 1 1']);
    expect(await given('b', b)).toEqual(['warehouse 0 1', 'gpu 0 1']);
  });

  it('are the least of what drivers’ settings say, of those that use the pool', async () => {
    const [a, b, c] = [await begin('a'), await begin('b'), await begin('c')];
    expect(await ask('a', a, 4, 8)).toEqual([4, 4]);
    expect(await ask('b', b, 4, 3)).toEqual([0, 1]);
    // Those that were given stay until their tasks have ended; no more are.
    expect(await ask('a', a, 6, 8)).toEqual([4, 2]);
    await keep('a', a, 1, 2, 6);
    expect(await ask('b', b, 4, 3)).toEqual([1, 1]);
    await keep('b', b, 1, 0, 0);
    expect(await ask('c', c, 9, 8)).toEqual([4, 4]);
  });

  it('are a run’s own when its driver dies, until it ends; nothing is kept free for it', async () => {
    const [a, b] = [await begin('a'), await begin('b')];
    await store.flush('a', a, 1, claimed(3));
    expect(await ask('a', a, 9)).toEqual([4, 4]);
    await passLeases(db, 15_001);
    await store.renew('b', b);
    expect(await ask('b', b, 4)).toEqual([0, 0]);
    const next = (await second.take('a', 'elsewhere/2/next')).epoch;
    expect((await second.load('a')).pools).toEqual([{ pool: 'warehouse', slots: 4 }]);
    // The one before is fenced off: it neither takes nor gives.
    expect(await ask('a', a, 9)).toBe('lost');
    await expect(keep('a', a, 2, 0)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    expect(await ask('a', next, 1)).toEqual([4, 1]);
    await second.flush('a', next, 1, batchOf({ run: { state: 'failed', error: 'no', endedAt: 9 } }));
    expect(await slots()).toEqual({ b: 0 });
    expect(await ask('b', b, 4)).toEqual([4, 4]);
  });

  it('are given back with a run that is let go, but for tasks that still run by its rows', async () => {
    const [a, b] = [await begin('a'), await begin('b')];
    await ask('a', a, 2);
    await ask('b', b, 2);
    await store.flush('b', b, 1, claimed(1));
    await store.release('a', a);
    await store.release('b', b);
    expect(await slots()).toEqual({ b: 2 });
    expect(await ask('a', a, 2)).toBe('lost');
  });

  it('are given back with a run that is cancelled while nobody drives it, and at another place', async () => {
    const [a, b] = [await begin('a'), await begin('b')];
    await ask('a', a, 2);
    await ask('b', b, 2);
    await passLeases(db, 15_001);
    expect(await store.requestCancel('a')).toBe(true);
    expect(await slots()).toEqual({ b: 2 });
    await db.transaction(async (trx) => poolSlotRows.settle?.(trx));
    expect(await slots()).toEqual({});
  });

  it('are written by one batch that is written once', async () => {
    const a = await begin('a');
    await ask('a', a, 3);
    await keep('a', a, 1, 1);
    await ask('a', a, 3);
    await keep('a', a, 1, 1);
    expect(await slots()).toEqual({ a: 3 });
  });

  it('are told of to those that listen, once somebody takes, waits or gives back; a look changes nothing', async () => {
    const [a, b] = [await begin('a'), await begin('b')];
    let wakes = 0;
    const stop = await second.listenToPools(() => void (wakes += 1));
    const grows = async (): Promise<void> => {
      const before = wakes;
      await expect.poll(() => wakes, { timeout: 5000 }).toBeGreaterThan(before);
    };
    await Promise.all([grows(), ask('a', a, 4)]);
    await Promise.all([grows(), ask('b', b, 4)]);
    const rows = (await rowsOf(db)).pipeline_pools;
    expect(await ask('b', b, 4)).toEqual([0, 2]);
    expect((await rowsOf(db)).pipeline_pools).toEqual(rows);
    await Promise.all([grows(), keep('a', a, 1, 2, 4)]);
    const ended = batchOf({ run: { state: 'succeeded', error: null, endedAt: 9 } });
    await Promise.all([grows(), store.flush('a', a, 2, ended)]);
    await stop();
  });

  it('are shown with who has them and who waits', async () => {
    const [a, b] = [await begin('a'), await begin('b')];
    await ask('a', a, 4);
    await ask('b', b, 2);
    expect(await store.poolHolders(['warehouse'])).toEqual(
      expect.arrayContaining([
        { pool: 'warehouse', run: 'a', pipeline: 'p', slots: 4, wanted: 4, size: 4, isDriven: true },
        { pool: 'warehouse', run: 'b', pipeline: 'p', slots: 0, wanted: 2, size: 4, isDriven: true },
      ]),
    );
    const [fan, end] = pipeline.steps.map((step) => ({ ...step, pool: 'warehouse' }));
    if (fan === undefined || end === undefined) throw new Error('the pipeline has two steps');
    await store.create(newRun('c', { state: 'running', pipeline: { ...pipeline, steps: [fan, end] } }));
    const c = (await store.take('c', 'elsewhere/1/c')).epoch;
    await store.flush('c', c, 1, batchOf({ steps: [stepOf({})] }));
    await ask('c', c, 7);
    const deps = { database: db, objects: openObjectStore('file:/nowhere'), clock: fixedClock(5), workDirectory: '' };
    const { steps } = await getRun(deps, 'c');
    expect(steps.map(({ name, waitsForPool }) => [name, waitsForPool])).toEqual([
      ['fan', { pool: 'warehouse', size: 4, slots: 0, wanted: 7, holders: [{ run: 'a', slots: 4, isDriven: true }] }],
      ['end', undefined],
    ]);
  });
});
