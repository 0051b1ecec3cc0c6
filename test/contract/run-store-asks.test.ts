// What others ask of runs and read of them, on every database: to cancel, to go on, lists, pages, and to be woken.

import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PipelineSpec } from '../../src/definitions/index.ts';
import type { ListedRun, RunStore } from '../../src/orchestrator/rows/run-store.ts';
import type { Database } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { batchOf, claimed, miscounts, newRun, NO_TASKS } from '../support/run-rows.ts';
import { passLeases, pipeline, rowsOf, stepOf, taskOf } from '../support/run-rows.ts';
import { openTwoStores, type TwoStores } from '../support/two-stores.ts';

const LEASE_MS = 15_000;
const elsewhere = 'elsewhere/1/aa';

describe.each(testDatabases('what is asked of runs'))('on $name', (databases) => {
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
  });

  const ENDED = { ...NO_TASKS, retry: 1, running: 1, succeeded: 2, failed: 1 };

  /** Taken, five of the fan claimed, of which two are done, one failed, one waits to be tried again; gives the epoch. */
  const halfDone = async (id = 'r'): Promise<number> => {
    await store.create(newRun(id));
    const { epoch } = await store.take(id, elsewhere);
    await store.flush(id, epoch, 1, claimed(5));
    const tasks = [
      taskOf(0),
      taskOf(1),
      taskOf(2, { state: 'failed', output: null, error: 'no', failures: 2, losses: 1 }),
      taskOf(3, { state: 'retry', output: null, error: 'no', failures: 1, notBefore: 99 }),
    ];
    await store.flush(id, epoch, 2, batchOf({ tasks, steps: [stepOf({ nextIndex: 5, counts: ENDED })] }));
    return epoch;
  };
  const runState = async () => (await store.get('r')).run.state;
  /** The states of the run, of its steps, and of the fan's tasks; steps count their tasks right. */
  const statesOf = async (): Promise<readonly string[]> => {
    expect(await miscounts(db)).toEqual([]);
    const steps = (await store.get('r')).steps.map(({ state }) => state);
    const tasks = (await store.tasks('r', 'fan')).map(({ state }) => state);
    return [await runState(), steps.join(' '), tasks.join(' ')];
  };
  const CANCELLED = ['cancelled', 'cancelled cancelled', 'succeeded succeeded failed cancelled cancelled'];
  const taken = async (made = newRun('r')): Promise<number> => {
    await store.create(made);
    return (await store.take('r', elsewhere)).epoch;
  };
  const failed = { state: 'failed', error: 'no', endedAt: 7 } as const;

  describe('to cancel', () => {
    it('is told to the driver, and kept each time, with why', async () => {
      const epoch = await halfDone();
      expect(await second.requestCancel('r')).toBe(true);
      expect(await second.requestCancel('r', { reason: 'again' })).toBe(true);
      expect(await store.renew('r', epoch)).toBe('cancelled');
      expect(await store.look('r', epoch)).toBe('cancelled');
      expect(await store.look('r', epoch + 1)).toBe('lost');
      expect(await runState()).toBe('running');
      const asks = (await store.events('r')).filter(({ kind }) => kind === 'cancel requested');
      expect(asks.map(({ message }) => message)).toEqual([null, 'again']);
    });

    it('leaves known which drivers had its tasks on their own machines, and which still have some', async () => {
      const epoch = await taken();
      const { slices, ...batch } = claimed(2);
      const at = (id: string, executor: string) => slices.map((slice) => ({ ...slice, id, executor }));
      const all = [...at('s', `local:${elsewhere}`), ...at('t', 'local:before/2/bb'), ...at('u', 'fleet')];
      await store.flush('r', epoch, 1, { ...batch, slices: all });
      const before = { driver: 'before/2/bb', isBusy: false };
      expect(await second.localDrivers('r')).toEqual([before, { driver: elsewhere, isBusy: true }]);
      await passLeases(db, LEASE_MS + 1);
      await second.requestCancel('r');
      expect(await second.localDrivers('r')).toEqual([before, { driver: elsewhere, isBusy: false }]);
      expect(await second.localDrivers('x')).toEqual([]);
    });

    it('is done at once where nobody drives, and a driver that wakes up writes nothing', async () => {
      const epoch = await halfDone();
      await passLeases(db, LEASE_MS + 1);
      expect(await second.requestCancel('r')).toBe(true);
      expect(await statesOf()).toEqual(CANCELLED);
      expect((await store.get('r')).run.endedAt).toBe(5);
      await expect(store.flush('r', epoch, 3, claimed(5))).rejects.toMatchObject({ code: 'HR_CONFLICT' });
      expect(await second.requestCancel('r')).toBe(false);
      await expect(second.requestCancel('x')).rejects.toMatchObject({ code: 'HR_UNKNOWN_RUN' });
    });

    it('is carried out as its driver lets go of the run, where it had not heard of it', async () => {
      const epoch = await halfDone();
      expect(await second.requestCancel('r', { reason: 'no more' })).toBe(true);
      await store.release('r', epoch);
      expect(await statesOf()).toEqual(CANCELLED);
      await expect(second.take('r', elsewhere)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    });

    it('waits for the next driver where an executor elsewhere still runs a task', async () => {
      const epoch = await taken();
      const { slices, ...batch } = claimed(5);
      const far = slices.map((slice) => ({ ...slice, executor: 'kubernetes' }));
      await store.flush('r', epoch, 1, { ...batch, slices: far });
      await store.release('r', epoch);
      expect(await second.requestCancel('r')).toBe(true);
      expect(await runState()).toBe('running');
      expect((await second.take('r', elsewhere)).isCancelRequested).toBe(true);
    });
  });

  describe('to go on', () => {
    it('is refused while the run is driven, and false where nothing is left to do', async () => {
      const epoch = await halfDone();
      await expect(second.requestResume('r', { keepDone: true })).rejects.toMatchObject({ driver: elsewhere });
      await store.flush('r', epoch, 3, batchOf({ run: { state: 'succeeded', error: null, endedAt: 7 } }));
      await store.release('r', epoch);
      expect(await second.requestResume('r', { keepDone: true })).toBe(false);
    });

    it('waits for nobody once the run has ended, though whoever drove it lives on', async () => {
      const epoch = await halfDone();
      await store.flush('r', epoch, 3, batchOf({ run: failed }));
      // A renewal that was on its way.
      expect(await store.renew('r', epoch)).toBe('lost');
      expect(await second.requestResume('r', { keepDone: true })).toBe(true);
      expect((await second.take('r', 'elsewhere/2/bb')).epoch).toBeGreaterThan(epoch);
    });

    it('lets what failed, was skipped or cancelled run again, with all its tries', async () => {
      const epoch = await halfDone();
      const counts = { ...NO_TASKS, retry: 1, succeeded: 2, failed: 1, cancelled: 1 };
      const fan = stepOf({ ...failed, nextIndex: 5, counts });
      const end = stepOf({ step: 'end', state: 'skipped', children: null, order: null, openedAt: null, endedAt: 7 });
      const tasks = [taskOf(4, { state: 'cancelled', output: null })];
      await store.flush('r', epoch, 3, batchOf({ run: failed, tasks, steps: [fan, end] }));
      await store.release('r', epoch);
      const code = { pipeline: { ...pipeline, title: 'now' }, manifestHash: 'now' };
      expect(await second.requestResume('r', { keepDone: true, code })).toBe(true);
      expect(await statesOf()).toEqual(['queued', 'waiting waiting', 'succeeded succeeded retry retry retry']);
      const { run, steps, tasks: again } = await store.load('r');
      expect(run).toMatchObject({ error: null, endedAt: null, manifestHash: 'now', driver: null });
      expect(run.spec).toEqual(code.pipeline);
      expect(steps[0]).toMatchObject({ nextIndex: 5, children: 20, error: null, endedAt: null });
      const fresh = { attempt: 1, failures: 0, losses: 0, notBefore: 0 };
      expect(again).toMatchObject([2, 3, 4].map((index) => ({ index, ...fresh })));
      await expect(store.flush('r', epoch, 4, claimed(5))).rejects.toMatchObject({ code: 'HR_CONFLICT' });
      expect((await second.take('r', elsewhere)).isCancelRequested).toBe(false);
    });

    it('lets the items of a group in which something failed go on, and no others', async () => {
      const grouped: PipelineSpec = {
        ...pipeline,
        groups: [{ name: 'each', foreach: { kind: 'range', start: 0, end: 9 }, last: 'end' }],
        steps: pipeline.steps.map((step) => ({ ...step, in: 'each' })),
      };
      const epoch = await taken(newRun('r', { pipeline: grouped, steps: [{ step: 'each', scope: '' }] }));
      const one = { children: 1, nextIndex: 1, endedAt: 7 };
      const done = { ...one, state: 'succeeded' as const, counts: { ...NO_TASKS, succeeded: 1 } };
      const none = { children: null, order: null, openedAt: null, endedAt: 7 };
      const counts = { ...NO_TASKS, succeeded: 1, failed: 1, cancelled: 1 };
      const tasks = [
        taskOf(0, { scope: '0', expects: null }),
        taskOf(0, { scope: '1', expects: null, state: 'failed', output: null }),
        taskOf(0, { scope: '2', expects: null }),
      ];
      const changes = [
        stepOf({ step: 'each', state: 'failed', children: 9, nextIndex: 3, counts, order: null }),
        stepOf({ scope: '0', ...done }),
        stepOf({ scope: '0', step: 'end', state: 'skipped', ...none }),
        stepOf({ scope: '1', ...one, state: 'failed', counts: { ...NO_TASKS, failed: 1 } }),
        stepOf({ scope: '1', step: 'end', state: 'skipped', ...none }),
        stepOf({ scope: '2', ...done }),
        stepOf({ scope: '2', step: 'end', state: 'cancelled', ...none }),
      ];
      await store.flush('r', epoch, 1, batchOf({ run: failed, tasks, steps: changes }));
      await store.release('r', epoch);
      expect(await store.list()).toMatchObject([{ counts: { children: 3, succeeded: 2, failed: 1, cancelled: 0 } }]);
      expect(await second.requestResume('r', { keepDone: true })).toBe(true);
      const rows = async () =>
        (await store.load('r')).steps.map(({ step, scope, state, counts: { running, retry, succeeded } }) =>
          [step, scope, state, running, retry, succeeded].join(' '),
        );
      expect((await rows()).toSorted()).toEqual([
        'each  waiting 2 0 1',
        'end 0 skipped 0 0 0',
        'end 1 waiting 0 0 0',
        'end 2 waiting 0 0 0',
        'fan 0 succeeded 0 0 1',
        'fan 1 waiting 0 1 0',
        'fan 2 succeeded 0 0 1',
      ]);
      expect(await second.requestResume('r', { keepDone: false })).toBe(true);
      expect((await rows()).toSorted()).toEqual([
        'each  waiting 3 0 0',
        'end 0 waiting 0 0 0',
        'end 1 waiting 0 0 0',
        'end 2 waiting 0 0 0',
        'fan 0 waiting 0 1 0',
        'fan 1 waiting 0 1 0',
        'fan 2 waiting 0 1 0',
      ]);
    });

    it('leaves what was skipped beside an item of the same number in another group, and its tasks, as they are', async () => {
      const range = { kind: 'range', start: 0, end: 9 } as const;
      const [one, other] = pipeline.steps.map((step, at) => ({ ...step, needs: {}, in: at === 0 ? 'a' : 'b' }));
      const grouped: PipelineSpec = {
        ...pipeline,
        groups: [
          { name: 'a', foreach: range, last: 'fan' },
          { name: 'b', foreach: range, last: 'end' },
        ],
        steps: [one, other].filter((step) => step !== undefined),
      };
      const steps = ['a', 'b'].map((step) => ({ step, scope: '' }));
      const epoch = await taken(newRun('r', { pipeline: grouped, steps }));
      const counted = { children: 1, nextIndex: 1, order: null, endedAt: 7 };
      const tasks = [
        taskOf(0, { scope: '0', expects: null, state: 'failed', output: null }),
        taskOf(0, { step: 'end', scope: '0', expects: null, state: 'cancelled', output: null }),
      ];
      const changes = [
        stepOf({ step: 'a', state: 'failed', ...counted, counts: { ...NO_TASKS, failed: 1 } }),
        stepOf({ step: 'b', state: 'succeeded', ...counted, counts: { ...NO_TASKS, succeeded: 1 } }),
        stepOf({ scope: '0', ...counted, state: 'failed', counts: { ...NO_TASKS, failed: 1 } }),
        stepOf({ step: 'end', scope: '0', ...counted, state: 'skipped', counts: { ...NO_TASKS, cancelled: 1 } }),
      ];
      await store.flush('r', epoch, 1, batchOf({ run: failed, tasks, steps: changes }));
      expect(await second.requestResume('r', { keepDone: true })).toBe(true);
      const rows = (await store.get('r')).steps.map(({ step, scope, state }) => `${step} ${scope} ${state}`);
      expect(rows.toSorted()).toEqual(['a  waiting', 'b  succeeded', 'end 0 skipped', 'fan 0 waiting']);
      const states = async (step: string) => (await store.tasks('r', step, { scope: '0' })).map(({ state }) => state);
      expect(await states('fan')).toEqual(['retry']);
      expect(await states('end')).toEqual(['cancelled']);
    });

    it('ends what the pipeline has no more, which nobody would', async () => {
      const epoch = await halfDone();
      await store.release('r', epoch);
      const steps = pipeline.steps.filter(({ name }) => name === 'end');
      const code = { pipeline: { ...pipeline, steps }, manifestHash: 'now' };
      expect(await second.requestResume('r', { keepDone: true, code })).toBe(true);
      const ended = 'succeeded succeeded cancelled cancelled cancelled';
      expect(await statesOf()).toEqual(['running', 'waiting cancelled', ended]);
      // Once it is there again it goes on as ever.
      const again = { pipeline, manifestHash: 'h' };
      expect(await second.requestResume('r', { keepDone: true, code: again })).toBe(true);
      expect((await statesOf()).at(-1)).toBe('succeeded succeeded retry retry retry');
    });

    it('lets all of it run again where nothing is to be kept', async () => {
      const epoch = await halfDone();
      await store.release('r', epoch);
      expect(await second.requestResume('r', { keepDone: false })).toBe(true);
      expect(await statesOf()).toEqual(['running', 'waiting waiting', 'retry retry retry retry running']);
      expect((await store.tasks('r', 'fan'))[0]?.output).toBeNull();
    });
  });

  describe('to cancel, and to go on', () => {
    const lastEvent = async (): Promise<number> => (await store.get('r')).run.lastEvent;
    const goOn = async (asked: number) => await second.requestResume('r', { keepDone: true, asked });
    const ends = async (epoch: number): Promise<unknown> => {
      const counts = { ...NO_TASKS, succeeded: 2, failed: 1, cancelled: 2 };
      const fan = stepOf({ state: 'failed', nextIndex: 5, counts, endedAt: 7 });
      const end = stepOf({ step: 'end', state: 'cancelled', children: null, order: null, openedAt: null, endedAt: 7 });
      const tasks = [3, 4].map((index) => taskOf(index, { state: 'cancelled', output: null }));
      const run = { state: 'cancelled', error: null, endedAt: 7 } as const;
      return await store.flush('r', epoch, 3, batchOf({ run, tasks, steps: [fan, end] }));
    };
    const expectRefused = (asked: number) =>
      expect(goOn(asked)).rejects.toMatchObject({ name: 'CancelledSinceError', code: 'HR_CONFLICT' });
    const expectWaits = (asked: number) => expect(goOn(asked)).rejects.toMatchObject({ driver: elsewhere });

    it('holds by which was asked later: a cancel that came while the resume waited', async () => {
      const epoch = await halfDone();
      const asked = await lastEvent();
      await expectWaits(asked);
      expect(await store.requestCancel('r')).toBe(true);
      await expectWaits(asked);
      await ends(epoch);
      await expectRefused(asked);
      expect(await runState()).toBe('cancelled');
      // Who asks by now has seen it.
      expect(await goOn(await lastEvent())).toBe(true);
      expect(await runState()).toBe('queued');
    });

    it('holds where a cancel is still being carried out as another comes after the resume', async () => {
      const epoch = await halfDone();
      expect(await store.requestCancel('r')).toBe(true);
      const asked = await lastEvent();
      await expectWaits(asked);
      expect(await store.requestCancel('r', { reason: 'for good' })).toBe(true);
      await ends(epoch);
      await expectRefused(asked);
    });

    it('lets a resume that was asked after the cancel go on, whoever carries that out meanwhile', async () => {
      const epoch = await halfDone();
      expect(await store.requestCancel('r')).toBe(true);
      const asked = await lastEvent();
      await ends(epoch);
      expect(await goOn(asked)).toBe(true);
      expect((await second.take('r', elsewhere)).isCancelRequested).toBe(false);
    });

    it('holds for a cancel of a run that had ended by then', async () => {
      const epoch = await halfDone();
      const asked = await lastEvent();
      await ends(epoch);
      expect(await store.requestCancel('r')).toBe(false);
      await expectRefused(asked);
    });

    it('holds where the driver died with the cancel, which is left for who takes the run', async () => {
      await halfDone();
      const asked = await lastEvent();
      expect(await store.requestCancel('r')).toBe(true);
      await passLeases(db, LEASE_MS + 1);
      await expectRefused(asked);
      expect((await second.take('r', 'elsewhere/2/bb')).isCancelRequested).toBe(true);
    });

    it('holds where nobody drove it', async () => {
      await halfDone();
      const asked = await lastEvent();
      await passLeases(db, LEASE_MS + 1);
      expect(await store.requestCancel('r')).toBe(true);
      await expectRefused(asked);
    });
  });

  describe('what is read', () => {
    it('are runs, the newest first, by pipeline and state, in pages, with the counts of their steps', async () => {
      const q = { ...pipeline, name: 'q' };
      for (let at = 0; at < 7; at++) await store.create(newRun(`n${at}`, at % 2 === 0 ? {} : { pipeline: q }));
      await halfDone('last');
      const ids = (runs: readonly ListedRun[]): readonly string[] => runs.map(({ id }) => id);
      // All at one moment: by their ids then.
      expect(ids(await store.list({ limit: 3 }))).toEqual(['n6', 'n5', 'n4']);
      const before = (await store.list({ limit: 3 })).at(-1);
      expect(ids(await store.list({ limit: 3, ...(before && { before }) }))).toEqual(['n3', 'n2', 'n1']);
      expect(ids(await store.list({ pipeline: 'q' }))).toEqual(['n5', 'n3', 'n1']);
      const counts = { ...ENDED, children: 20 };
      expect(await store.list({ state: 'running' })).toMatchObject([{ id: 'last', counts }]);
      expect(await store.list({ pipeline: 'none' })).toEqual([]);
    });

    it('are steps of groups, in the order of the pipeline and then of their items', async () => {
      const epoch = await taken();
      const scopes = ['10', '2', '2/10', '2/9', '0'];
      await store.flush('r', epoch, 1, batchOf({ steps: scopes.map((scope) => stepOf({ scope })) }));
      const names = (await store.get('r')).steps.map(({ step, scope }) => `${step} ${scope}`);
      expect(names).toEqual(['fan ', 'fan 0', 'fan 2', 'fan 2/9', 'fan 2/10', 'fan 10', 'end ']);
    });

    it('are tasks in pages, by state, and outputs in the order of their items', async () => {
      const epoch = await taken();
      await store.flush('r', epoch, 1, claimed(2500));
      const tasks = Array.from({ length: 2400 }, (_, index) =>
        taskOf(index, index % 100 === 7 ? { state: 'failed', output: null } : index === 5 ? { output: null } : {}),
      );
      await store.flush('r', epoch, 2, batchOf({ tasks: tasks.toReversed() }));
      const indexes = async (wanted: Parameters<RunStore['tasks']>[2]) =>
        (await store.tasks('r', 'fan', wanted)).map(({ index }) => index);
      expect(await indexes({})).toHaveLength(100);
      expect(await indexes({ from: 2398, limit: 3 })).toEqual([2398, 2399, 2400]);
      expect(await indexes({ state: 'failed', from: 8, limit: 2 })).toEqual([107, 207]);
      expect(await indexes({ state: 'running', limit: 2 })).toEqual([2400, 2401]);
      expect(await indexes({ state: 'succeeded', from: 7, limit: 1 })).toEqual([8]);
      expect(await indexes({ scope: '1' })).toEqual([]);
      const outputs = [];
      for await (const output of store.outputs('r', 'fan')) outputs.push(output);
      const all = Array.from({ length: 2400 }, (_, index) => index);
      expect(outputs.map(({ index }) => index)).toEqual(all.filter((index) => index % 100 !== 7));
      const texts = ['{"n":4}', 'null', '{"n":6}'].map((json) => ({ json }));
      expect(outputs.slice(4, 7).map(({ output }) => output)).toEqual(texts);
    });
  });

  it('wakes those who listen, in this process and others, until they stop', async () => {
    let [here, there] = [0, 0];
    const ends = [await store.listen(() => here++), await second.listen(() => there++)];
    const woken = async (change: () => Promise<unknown>): Promise<void> => {
      const before = [here, there];
      await change();
      await expect.poll(() => here > (before[0] ?? 0) && there > (before[1] ?? 0), { timeout: 5000 }).toBe(true);
    };
    await woken(() => store.create(newRun('r')));
    await woken(() => second.requestCancel('r'));
    await woken(() => second.requestResume('r', { keepDone: true }));
    const { epoch } = await store.take('r', elsewhere);
    await woken(() => store.flush('r', epoch, 1, batchOf({ run: { state: 'failed', error: null, endedAt: 1 } })));
    await woken(() => store.release('r', epoch));
    await Promise.all(ends.map((end) => end()));
    const last = [here, there];
    await store.requestResume('r', { keepDone: true });
    expect((await rowsOf(db)).pipeline_runs[0]?.state).toBe('queued');
    expect([here, there]).toEqual(last);
  });

  it.runIf(databases.name === 'Postgres')('wakes who listens again once a lost connection is back', async () => {
    let wakes = 0;
    const end = await store.listen(() => wakes++);
    const listening = sql`select pid from pg_stat_activity where query like 'listen%' and datname = current_database()`;
    const { rows } = await sql`select pg_terminate_backend(pid) from (${listening}) one`.execute(db.tables());
    expect(rows).toHaveLength(1);
    await expect.poll(() => wakes, { timeout: 10_000 }).toBe(1);
    await second.create(newRun('r'));
    await expect.poll(() => wakes, { timeout: 5000 }).toBe(2);
    await end();
    await expect.poll(async () => (await listening.execute(db.tables())).rows).toHaveLength(0);
  });
});
