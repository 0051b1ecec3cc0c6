// Runs as rows on every database: one run a tick, one driver at a time, and batches that are written whole, once, or not at all.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fixedClock } from '../../src/core/index.ts';
import { newOwner } from '../../src/orchestrator/lease.ts';
import { createRunMaker } from '../../src/orchestrator/rows/create-run.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import type { PipelineTables } from '../../src/orchestrator/rows/tables.ts';
import type { Database } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { batchOf, claimed, newRun, NO_TASKS, passLeases, rowsOf, stepOf, taskOf } from '../support/run-rows.ts';
import { openTwoStores, type TwoStores } from '../support/two-stores.ts';

const LEASE_MS = 15_000;
const elsewhere = 'elsewhere/1/aa';

describe.each(testDatabases('runs as rows'))('on $name', (databases) => {
  let stores: TwoStores;
  let db: Database;
  let store: RunStore;
  let second: RunStore;

  beforeAll(() => databases.start());
  afterEach(() => stores.close());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    stores = await openTwoStores(await databases.newUrl());
    ({ db, store, second } = stores);
    await store.create(newRun('r'));
  });

  /** All but what a lease changes by itself. */
  const written = async () => {
    const { pipeline_runs: runs, ...rows } = await rowsOf(db);
    return { ...rows, runs: runs.map((run) => ({ ...run, lease_until: 0 })) };
  };

  describe('a run', () => {
    it('is made once a tick of its pipeline, whoever makes it', async () => {
      const made = await Promise.all(
        Array.from({ length: 8 }, (_, at) => (at % 2 === 0 ? store : second).create(newRun(`t${at}`, { tick: 60 }))),
      );
      expect(made.filter(({ isNew }) => isNew)).toHaveLength(1);
      expect(new Set(made.map(({ id }) => id)).size).toBe(1);
      expect(await store.create(newRun('next', { tick: 120 }))).toEqual({ id: 'next', isNew: true });
      const { pipeline } = newRun('q');
      const ofAnother = newRun('q', { tick: 60, pipeline: { ...pipeline, name: 'q' } });
      expect(await store.create(ofAnother)).toEqual({ id: 'q', isNew: true });
      expect(await store.events('next')).toMatchObject([{ number: 1, kind: 'created', at: 5 }]);
    });

    it('is the same one where it is made again by its id', async () => {
      expect(await second.create(newRun('r'))).toEqual({ id: 'r', isNew: false });
      expect(await store.events('r')).toHaveLength(1);
    });

    it('has an id that no other has, though one is thought of twice', async () => {
      const thought = ['r', 'made', 'made', 'next', 'unused'];
      const create = createRunMaker(db, fixedClock(5), () => thought.shift() ?? '');
      const { id: _, ...unnamed } = newRun('', { tick: 60 });
      expect(await create(unnamed)).toEqual({ id: 'made', isNew: true });
      expect(await create({ ...unnamed, tick: 120 })).toEqual({ id: 'next', isNew: true });
      expect(await create(unnamed)).toEqual({ id: 'made', isNew: false });
      const made = (await store.list({})).map(({ id, tick }) => `${id} ${tick}`);
      expect(made.toSorted()).toEqual(['made 60', 'next 120', 'r null']);
    });

    it('is told with what it goes by and its steps in the order of the pipeline', async () => {
      const { run, steps } = await store.get('r');
      expect(run).toMatchObject({ id: 'r', pipeline: 'p', state: 'queued', params: { seed: 7 }, keepGoing: false });
      expect(run.spec).toEqual(newRun('r').pipeline);
      expect(steps).toMatchObject(['fan', 'end'].map((step) => ({ step, state: 'waiting', counts: NO_TASKS })));
      await expect(store.get('x')).rejects.toMatchObject({ code: 'HR_UNKNOWN_RUN' });
      await expect(store.take('x', elsewhere)).rejects.toMatchObject({ code: 'HR_UNKNOWN_RUN' });
    });
  });

  describe('its lease', () => {
    it('is one driver’s of two that take it at once', async () => {
      for (let round = 0; round < 5; round++) {
        await store.create(newRun(`race ${round}`));
        const taken = await Promise.allSettled(
          [store, second, store, second].map((one, at) => one.take(`race ${round}`, `elsewhere/${at}/aa`)),
        );
        expect(taken.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
      }
    });

    it('is refused while it lives, saying whose it is and how long to wait', async () => {
      expect(await store.take('r', elsewhere)).toEqual({ epoch: 1, isCancelRequested: false });
      expect((await store.get('r')).run).toMatchObject({ state: 'running', driver: elsewhere });
      const refused = await second.take('r', newOwner()).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'HR_CONFLICT', driver: elsewhere });
      expect(refused).toHaveProperty('message', expect.stringContaining(elsewhere));
      const { leaseLeftMs } = refused as { leaseLeftMs: number };
      expect(leaseLeftMs).toBeGreaterThan(LEASE_MS - 5000);
      expect(leaseLeftMs).toBeLessThanOrEqual(LEASE_MS);
    });

    it('goes to another once it ran out, was given back, or the clock was set back past its beginning', async () => {
      await store.take('r', elsewhere);
      await passLeases(db, LEASE_MS - 5000);
      expect(await store.renew('r', 1)).toBe('held');
      await passLeases(db, LEASE_MS - 5000);
      await expect(second.take('r', newOwner())).rejects.toMatchObject({ code: 'HR_CONFLICT' });
      await passLeases(db, 5001);
      expect((await second.take('r', elsewhere)).epoch).toBe(2);
      expect(await store.renew('r', 1)).toBe('lost');
      await store.release('r', 1);
      await expect(store.take('r', newOwner())).rejects.toMatchObject({ code: 'HR_CONFLICT' });
      await second.release('r', 2);
      expect((await store.take('r', elsewhere)).epoch).toBe(4);
      await passLeases(db, -3_600_000);
      expect((await store.take('r', elsewhere)).epoch).toBe(5);
      expect((await store.events('r')).map(({ kind }) => kind)).toEqual(['created', 'interrupted']);
    });

    it('is given anew to the driver that has it, which may not have heard', async () => {
      expect((await store.take('r', elsewhere)).epoch).toBe(1);
      expect((await store.take('r', elsewhere)).epoch).toBe(2);
      expect(await store.renew('r', 1)).toBe('lost');
    });

    it('of a process of this machine ends with the process', async () => {
      const [host] = newOwner().split('/');
      await store.take('r', `${host}/4194305/aa`);
      expect((await second.take('r', newOwner())).epoch).toBe(2);
      await expect(store.take('r', newOwner())).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    });

    it('of a run that waits is given while fewer of its pipeline go on than may', async () => {
      await Promise.all(['a', 'b', 'c', 'd'].map((id) => store.create(newRun(id))));
      const taken = await Promise.allSettled(
        ['a', 'b', 'c', 'd'].map((id, at) => (at % 2 === 0 ? store : second).take(id, elsewhere, { atMost: 2 })),
      );
      expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
      const { queued, abandoned } = await store.due();
      expect(queued).toEqual([{ pipeline: 'p', going: 2, runs: expect.arrayContaining(['r']) }]);
      expect(queued[0]?.runs).toHaveLength(3);
      expect(abandoned).toEqual([]);
      await passLeases(db, LEASE_MS + 1);
      expect((await store.due()).abandoned).toHaveLength(2);
    });
  });

  describe('a batch', () => {
    it('is written whole: the run, steps, claims, tasks, slices and events', async () => {
      const { epoch } = await store.take('r', elsewhere);
      expect(await store.flush('r', epoch, 1, claimed(5))).toEqual({ isCancelRequested: false, refused: 0 });
      const done = batchOf({
        steps: [stepOf({ nextIndex: 5, counts: { ...NO_TASKS, running: 1, retry: 1, succeeded: 2, failed: 1 } })],
        tasks: [
          taskOf(0),
          taskOf(1, { output: { blob: 'f'.repeat(64) } }),
          taskOf(2, { state: 'failed', output: null, error: 'exit \0 \ud800 1', failures: 1 }),
          taskOf(3, { state: 'retry', output: null, error: 'once', failures: 1, notBefore: 99, slice: null }),
        ],
        events: [{ at: 9, kind: 'succeeded', step: 'fan', scope: '', index: 0, count: 2, attempt: 1, message: 'a\0b' }],
      });
      expect((await second.flush('r', epoch, 2, done)).refused).toBe(0);
      const tasks = await store.tasks('r', 'fan');
      expect(tasks.map(({ index, state, attempt, failures }) => `${index} ${state} ${attempt} ${failures}`)).toEqual([
        '0 succeeded 1 0',
        '1 succeeded 1 0',
        '2 failed 1 1',
        '3 retry 1 1',
        '4 running 1 0',
      ]);
      expect(tasks[1]?.output).toEqual({ blob: 'f'.repeat(64) });
      const error = 'exit \ufffd \ufffd 1';
      expect(tasks[2]).toMatchObject({ output: null, error, slice: 's', startedAt: 2, endedAt: 3 });
      const loaded = await second.load('r');
      const left = loaded.tasks.map(({ index, state, notBefore }) => `${index} ${state} ${notBefore}`);
      expect(left).toEqual(['2 failed 0', '3 retry 99', '4 running 0']);
      expect(loaded.slices).toMatchObject([{ id: 's', executor: 'local' }]);
      expect(loaded.slices[0]?.tasks).toHaveLength(5);
      const event = { number: 3, index: 0, count: 2, message: 'a\ufffdb' };
      expect(await store.events('r', 2)).toMatchObject([event]);
      const run = { state: 'failed' as const, error: 'step fan failed', endedAt: 12 };
      await store.flush('r', epoch, 3, batchOf({ run }));
      expect((await store.get('r')).run).toMatchObject({ ...run, driver: elsewhere });
      await store.release('r', epoch);
      await expect(store.take('r', elsewhere)).rejects.toThrow('has ended: failed');
    });

    it('keeps the last of two outputs of one key', async () => {
      const { epoch } = await store.take('r', elsewhere);
      const cached = ['1', '2'].map((json, at) => ({ key: 'k', output: { json }, at }));
      await store.flush('r', epoch, 1, batchOf({ cached }));
      expect([...(await store.cached(['k']))]).toEqual([['k', { output: { json: '2' }, run: 'r' }]]);
    });

    it('of a driver that lost the run writes nothing', async () => {
      const stale = await store.take('r', elsewhere);
      await store.flush('r', stale.epoch, 1, claimed(5));
      await passLeases(db, LEASE_MS + 1);
      // Nobody else has had it: what it writes nobody contradicts.
      await store.flush('r', stale.epoch, 2, batchOf({ tasks: [taskOf(0)] }));
      await passLeases(db, LEASE_MS + 1);
      const hold = await second.take('r', elsewhere);
      const before = await written();
      const run = { state: 'succeeded', error: null, endedAt: 1 } as const;
      const late = batchOf({ ...claimed(20), run, tasks: [taskOf(1)] });
      await expect(store.flush('r', stale.epoch, 3, late)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
      await expect(store.flush('r', stale.epoch, 1, late)).rejects.toThrow('this is 1. Nothing was written');
      expect(await written()).toEqual(before);
      expect((await second.flush('r', hold.epoch, 1, batchOf({ tasks: [taskOf(1)] }))).refused).toBe(0);
    });

    it('is written once where it comes again, and never out of turn', async () => {
      const { epoch } = await store.take('r', elsewhere);
      await store.flush('r', epoch, 1, claimed(5));
      const before = await written();
      expect((await store.flush('r', epoch, 1, claimed(5))).refused).toBe(0);
      expect(await written()).toEqual(before);
      await expect(store.flush('r', epoch, 3, batchOf({}))).rejects.toMatchObject({ code: 'HR_INTERNAL' });
      expect(await written()).toEqual(before);
    });

    it('drops items of a group with all that lies in them, at any depth, and nothing of others', async () => {
      const { epoch } = await store.take('r', elsewhere);
      const places = ['1', '2', '10', '17', '1/0', '1/5', '2/1', '10/1', '17/3', '1/5/9', '11/1'].flatMap((scope) =>
        ['fit', 'inner', 'deep'].map((step) => ({ step, scope })),
      );
      const tasks = places.map((place) => taskOf(0, { ...place, expects: null }));
      await store.flush('r', epoch, 1, batchOf({ steps: places.map(stepOf), tasks }));
      const numbers = [
        [1, 1],
        [17, 1],
      ] as const;
      const inside = { direct: ['fit', 'inner'], deeper: ['deep'] };
      await store.flush('r', epoch, 2, batchOf({ dropped: [{ step: 'group', scope: '', numbers, inside }] }));
      const isDropped = ({ step, scope }: { readonly step: string; readonly scope: string }): boolean =>
        step === 'deep' ? /^(1|17)\//.test(scope) : scope === '1' || scope === '17';
      const left = places.filter((place) => !isDropped(place)).map(({ step, scope }) => `${step} ${scope}`);
      const { pipeline_tasks: kept, pipeline_steps: steps } = await rowsOf(db);
      expect(kept.map(({ step, scope }) => `${step} ${scope}`).toSorted()).toEqual(left.toSorted());
      const inItems = steps.filter(({ scope }) => scope !== '').map(({ step, scope }) => `${step} ${scope}`);
      expect(inItems.toSorted()).toEqual(left.toSorted());
      const apart = await db.tables<PipelineTables>().selectFrom('pipeline_dropped_tasks').selectAll().execute();
      expect(apart.map(({ step, scope }) => `${step} ${scope}`).toSorted()).toEqual(
        places
          .filter(isDropped)
          .map(({ step, scope }) => `${step} ${scope}`)
          .toSorted(),
      );
    });

    // What it changes of tasks, and what it refuses, is in test/property/run-store-batches.test.ts.
    it('keeps the lease, and tells that the run is to be cancelled', async () => {
      const { epoch } = await store.take('r', elsewhere);
      await passLeases(db, LEASE_MS - 5000);
      await store.flush('r', epoch, 1, batchOf({}));
      await passLeases(db, LEASE_MS - 5000);
      await expect(second.take('r', newOwner())).rejects.toMatchObject({ code: 'HR_CONFLICT' });
      await second.requestCancel('r');
      expect((await store.flush('r', epoch, 2, batchOf({}))).isCancelRequested).toBe(true);
      expect(await store.renew('r', epoch)).toBe('cancelled');
    });
  });
});
