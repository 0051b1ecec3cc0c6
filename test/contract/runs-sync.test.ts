// Rows of runs that another system drives: the same rows whenever and by however many they are made, and none of what is no result.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { HeadraceError, systemClock } from '../../src/core/index.ts';
import type { PipelineSpec } from '../../src/definitions/index.ts';
import { resultKey } from '../../src/orchestrator/committed/result-key.ts';
import { readOrder } from '../../src/orchestrator/step/order.ts';
import { type SyncedRun, syncRun, syncRuns } from '../../src/orchestrator/index.ts';
import { newOwner } from '../../src/orchestrator/lease.ts';
import { collectEndedRuns } from '../../src/orchestrator/rows/collect-ended-runs.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { type Database, type ObjectStore, openDatabase, openObjectStore, putBlob } from '../../src/storage/index.ts';
import { createRandom } from '../support/chance.ts';
import { databasesByTier } from '../support/databases.ts';
import { otherSystem, put, rowsByResults, storeRun, syncDeps, wide } from '../support/elsewhere-world.ts';
import { plainStep } from '../support/plain-step.ts';
import { miscounts, newRun, rowsOf } from '../support/run-rows.ts';

const range = (end: number) => ({ kind: 'range', start: 0, end }) as const;
const pipelineOf = (...steps: PipelineSpec['steps']): PipelineSpec => ({ name: 'two', params: [], steps });
const two = pipelineOf(plainStep('fan', { foreach: range(3), retry: 1 }), plainStep('end', { needs: { fan: 'fan' } }));

/** Of steps: a group counts its items. */
const miscounted = async (database: Database) =>
  (await miscounts(database)).filter((sentence) => !/^(?:country|month) /.test(sentence));

/** Of a document of run `r`. */
const problem = (name: string, reason: RegExp) => ({
  key: `runs/r/${name}.json`,
  reason: expect.stringMatching(reason),
});

const resultOf = (value: unknown, attempt = 1) => ({ attempt, output: { json: JSON.stringify(value) }, files: {} });

describe.each(databasesByTier('rows of runs driven elsewhere'))('on $name', (databases) => {
  let folder = '';
  let url = '';
  let db: Database;
  let objects: ObjectStore;

  beforeAll(() => databases.start(), 120_000);
  afterAll(() => databases.stop());
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-sync-'));
    objects = openObjectStore(`file:${folder}`);
    url = await databases.newUrl();
    db = await openDatabase(url);
  });
  afterEach(async () => {
    await db.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const sync = (id = 'r', options: Parameters<typeof syncRun>[2] = {}) => syncRun(syncDeps(db, objects), id, options);
  /** Another registry over the same store. */
  const elsewhere = async <R>(work: (other: Database) => Promise<R>): Promise<R> => {
    const other = await openDatabase(await databases.newUrl());
    try {
      return await work(other);
    } finally {
      await other.close();
    }
  };
  const rowsOfOneSync = (id = 'r') =>
    elsewhere(async (other) => {
      await syncRun(syncDeps(other, objects), id);
      return await rowsByResults(other, id);
    });
  const result = (step: string, index: number, value: unknown, attempt = 1) =>
    put(objects, resultKey({ run: 'r', step, scope: '', index }), resultOf(value, attempt));
  /** Of a task, by its path in the run. */
  const failure = (task: string, attempt: number, final: boolean, reason = 'no') =>
    put(objects, `runs/r/${task}/failure-${attempt}.json`, { attempt, cause: 'exit', reason, final });
  /** Run `r` of this pipeline, of which something is done before it is synced first. */
  const synced = async (pipeline: PipelineSpec, before: () => Promise<unknown> = async () => {}) => {
    await storeRun(objects, 'r', pipeline);
    await before();
    return await sync();
  };
  const statesOf = async () => (await rowsOf(db)).pipeline_tasks.map(({ state }) => state);
  /** Those of a sync from the beginning, and counted right. */
  const expectSame = async () => {
    expect(await rowsByResults(db, 'r')).toEqual(await rowsOfOneSync());
    expect(await miscounted(db)).toEqual([]);
  };

  describe('a run', () => {
    it('is made of its run.json, and goes on by its results, which orders what comes next', async () => {
      const first = await synced(wide);
      expect(first).toMatchObject({ id: 'r', pipeline: 'wide', state: 'running', isNew: true, problems: [] });
      expect(first.open.map(({ step, scope, tasks, left }) => [step, scope, tasks, left])).toEqual([
        ['list', '', 1, 1],
        ['fit', '0/0', 2, 2],
        ['fit', '0/1', 2, 2],
        ['fit', '1/0', 2, 2],
        ['fit', '1/1', 2, 2],
        ['gate', '', 1, 1],
        ['caught', '', 1, 1],
      ]);
      const work = otherSystem(objects, 'r');
      let last = first;
      for (let round = 0; round < 9 && last.state === 'running'; round++) {
        await work(last.open);
        last = await sync();
      }
      expect(last).toMatchObject({ state: 'succeeded', isNew: false, open: [], problems: [] });
      const { steps, tasks } = await rowsByResults(db, 'r');
      expect(Object.fromEntries(steps.map(({ step, scope, state }) => [`${step} ${scope}`, state]))).toMatchObject({
        'big ': 'succeeded',
        'small ': 'skipped',
        'none ': 'succeeded',
        'country ': 'succeeded',
        'end ': 'succeeded',
      });
      const square = tasks.filter(({ step }) => step === 'square');
      expect(square.map(({ attempt, failures, losses, state }) => [attempt, failures, losses, state])).toEqual([
        [1, 0, 0, 'succeeded'],
        [2, 1, 0, 'succeeded'],
        [4, 2, 1, 'succeeded'],
        [3, 0, 0, 'succeeded'],
      ]);
      expect(square[3]?.output_blob).toMatch(/^[0-9a-f]{64}$/);
      const end = steps.find(({ step }) => step === 'end')?.order_uri ?? '';
      expect((await readOrder(objects, end)).needs).toMatchObject({ small: null, none: [], caught: { error: 'no 1' } });
      expect(await miscounted(db)).toEqual([]);
    });

    it('has the same rows in whatever parts its results came, and wherever the store was away', async () => {
      for (let seed = 1; seed <= 6; seed++) {
        const { below: chance } = createRandom(seed);
        const id = `r${seed}`;
        await storeRun(objects, id, wide);
        const work = otherSystem(objects, id);
        let calls = 0;
        let away = Infinity;
        const faulty = failing(objects, () => ++calls >= away);
        let synced: SyncedRun | undefined;
        for (let round = 0; round < 400 && (synced === undefined || synced.state === 'running'); round++) {
          if (synced !== undefined) await work(synced.open, () => chance(3) === 0);
          calls = 0;
          away = chance(2) === 0 ? Infinity : 1 + chance(40);
          try {
            synced = await syncRun(syncDeps(db, faulty), id);
          } catch (error) {
            expect(error).toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
          }
        }
        expect(synced?.state).toBe('succeeded');
        expect(await rowsByResults(db, id)).toEqual(await rowsOfOneSync(id));
      }
      expect(await miscounted(db)).toEqual([]);
    }, 60_000);

    it('has the same rows where many make them at once, each event once', async () => {
      let last = await synced(wide);
      const work = otherSystem(objects, 'r');
      const second = await openDatabase(url);
      onTestFinished(() => second.close());
      for (let round = 0; round < 9 && last.state === 'running'; round++) {
        await work(last.open);
        const all = [db, second, db, second].map((one) => syncRun(syncDeps(one, objects), 'r'));
        [last = last] = await Promise.all(all);
      }
      expect(last.state).toBe('succeeded');
      expect(await rowsByResults(db, 'r')).toEqual(await rowsOfOneSync());
    });

    it('changes by nothing where nothing came', async () => {
      await synced(two);
      await result('fan', 1, 'one');
      expect((await sync()).taken).toEqual({ succeeded: 1, failed: 0 });
      const before = await rowsByResults(db, 'r');
      expect((await sync()).taken).toEqual({ succeeded: 0, failed: 0 });
      expect(await rowsByResults(db, 'r')).toEqual(before);
    });

    it('is taken over by no driver, and neither resumed nor counted among those that go on', async () => {
      await synced(two);
      const store = await openRunStore(db, systemClock);
      expect(await store.due()).toEqual({ queued: [], abandoned: [] });
      await expect(store.take('r', newOwner())).rejects.toThrow(
        /HR_CONFLICT.*|run r is driven elsewhere, as argo prepared it/,
      );
      await expect(store.requestResume('r', { keepDone: true })).rejects.toThrow(/driven elsewhere/);
      await store.create(newRun('here', { pipeline: two }));
      expect(await store.take('here', newOwner(), { atMost: 1 })).toMatchObject({ epoch: 1 });
    });

    it('is refused where it is driven here, now or before', async () => {
      const store = await openRunStore(db, systemClock);
      await store.create(newRun('r'));
      const driver = newOwner();
      const { epoch } = await store.take('r', driver);
      await expect(sync()).rejects.toThrow(new RegExp(`run r is driven by ${driver}, and its lease runs for another`));
      await store.release('r', epoch);
      await expect(sync()).rejects.toThrow(/run r is no run that is driven elsewhere.*runs resume r/);
      expect((await rowsOf(db)).pipeline_tasks).toEqual([]);
    });

    it('is cancelled here at once, and what comes of it later is left', async () => {
      await synced(two);
      const store = await openRunStore(db, systemClock);
      expect(await store.requestCancel('r')).toBe(true);
      await result('fan', 0, 'late');
      expect(await sync()).toMatchObject({ state: 'cancelled', taken: { succeeded: 0 }, problems: [] });
      expect(await miscounted(db)).toEqual([]);
    });

    it('waits for nobody where it was cancelled while its rows were made', async () => {
      await synced(two);
      await result('fan', 0, 'x');
      const store = await openRunStore(db, systemClock);
      const cancels = async (key: string): Promise<void> => {
        if (key.endsWith('fan/0/result.json')) await store.requestCancel('r');
      };
      const asking = failing(objects, () => false, cancels);
      expect(await syncRun(syncDeps(db, asking), 'r')).toMatchObject({ state: 'cancelled', taken: { succeeded: 1 } });
      expect(await statesOf()).toEqual(['succeeded', 'cancelled', 'cancelled']);
    });
  });

  describe('attempts that failed', () => {
    it('are for good where the pipeline tries no more, and end the run with the first by its time', async () => {
      await synced(two);
      await result('fan', 0, 'x');
      await failure('fan/1', 1, false, 'no 1');
      expect(await sync()).toMatchObject({ state: 'running', taken: { failed: 0 } });
      expect((await rowsOf(db)).pipeline_tasks[1]).toMatchObject({ state: 'retry', attempt: 1, error: 'no 1' });
      await failure('fan/1', 2, false, 'no 1');
      expect(await sync()).toMatchObject({ state: 'running', taken: { failed: 1 } });
      await failure('fan/2', 1, true, 'no 2');
      expect(await sync()).toMatchObject({ state: 'failed', error: 'step "fan"[1] failed after 2 attempts: no 1' });
      await expectSame();
    });

    it('are none of what counts once the system has gone on, and the rows are made anew', async () => {
      await failure('fan/1', 1, true);
      for (const index of [0, 2]) await result('fan', index, index);
      expect(await synced(two)).toMatchObject({ state: 'failed', error: 'step "fan"[1] failed: no' });
      expect(await sync()).toMatchObject({ state: 'failed', problems: [] });
      await result('fan', 1, 'after all', 2);
      const taken = { succeeded: 3, failed: 0 };
      expect(await sync()).toMatchObject({ state: 'running', taken, open: [{ step: 'end' }] });
      await result('end', 0, 'done');
      expect(await sync()).toMatchObject({ state: 'succeeded', error: null });
      await expectSame();
    });

    it('may end later than the one that counts, or be one that was tried again by its number', async () => {
      await synced(two);
      await failure('fan/0', 2, false);
      await sync();
      await result('fan', 0, 'x', 1);
      await failure('fan/1', 1, false);
      await result('fan', 1, 'y', 1);
      expect(await sync()).toMatchObject({ taken: { succeeded: 2 }, problems: [] });
      expect((await rowsOf(db)).pipeline_tasks.map(({ state, attempt }) => [state, attempt])).toEqual([
        ['succeeded', 1],
        ['succeeded', 1],
        ['running', 1],
      ]);
    });

    it('leave the rest to go on by keep_going alone', async () => {
      const branches = pipelineOf(plainStep('bad'), plainStep('slow'), plainStep('after', { needs: { slow: 'slow' } }));
      for (const keepGoing of [true, false]) {
        const id = String(keepGoing);
        await storeRun(objects, id, branches, { keepGoing });
        await put(objects, `runs/${id}/bad/0/failure-1.json`, { attempt: 1, cause: 'exit', reason: 'no', final: true });
        await put(objects, `runs/${id}/slow/0/result.json`, resultOf(1));
        const { state, open } = await sync(id);
        const expected = keepGoing ? ['running', ['after']] : ['failed', []];
        expect([state, open.map(({ step }) => step)], id).toEqual(expected);
      }
    });
  });

  describe('the end that its system tells', () => {
    const end = (state: string, more: object = {}) =>
      put(objects, 'runs/r/end.json', { version: 1, state, at: '2026-11-25T03:15:00Z', ...more });

    it('gives up what has no result', async () => {
      await storeRun(objects, 'r', two);
      await result('fan', 0, 'x');
      await end('failed', { reason: 'the node pool is gone' });
      expect(await sync()).toMatchObject({ state: 'failed', error: 'the node pool is gone', taken: { succeeded: 1 } });
      expect(await statesOf()).toEqual(['succeeded', 'cancelled', 'cancelled']);
      const steps = (await rowsOf(db)).pipeline_steps.map(({ step, state }) => `${step} ${state}`);
      expect(steps).toEqual(['end cancelled', 'fan cancelled']);
      // It is run again from where it failed.
      for (const index of [1, 2]) await result('fan', index, index);
      await result('end', 0, 'done');
      expect(await sync()).toMatchObject({ state: 'succeeded', error: null });
      expect(await rowsByResults(db, 'r')).toEqual(await rowsOfOneSync());
    });

    it('can be told for it', async () => {
      await storeRun(objects, 'r', two);
      const ended = { state: 'cancelled', reason: null } as const;
      expect(await sync('r', { ended })).toMatchObject({ state: 'cancelled', error: null });
      expect(await rowsOfOneSync()).toMatchObject({ run: [{ state: 'cancelled' }] });
    });

    it('is no success while results are missing', async () => {
      await storeRun(objects, 'r', two);
      await result('fan', 0, 'x');
      await end('succeeded');
      const { state, problems } = await sync();
      expect(state).toBe('running');
      expect(problems).toEqual([problem('end', /tasks without a result, of fan/)]);
    });

    const done = { version: 1, state: 'done', at: '2026-11-25T03:15:00Z' };
    it.for([
      ['a state that there is not', done, /"state" is succeeded, failed, cancelled, got "done"/],
      ['no time', { version: 1, state: 'failed' }, /"at" is a time such as .*, got nothing/],
      ['a newer version', { ...done, version: 2, state: 'failed' }, /newer Headrace \(version 2/],
      ['no JSON', '{', /it is no JSON/],
    ] as const)('is told of where it has %s, and taken for none', async ([, text, reason]) => {
      const { state, problems } = await synced(two, () => put(objects, 'runs/r/end.json', text));
      expect(state).toBe('running');
      expect(problems).toEqual([problem('end', reason)]);
    });
  });

  describe('what is no result', () => {
    const blob = 'a'.repeat(64);
    it.for([
      ['no JSON', '{"attempt":1,', /it is no JSON/],
      ['no object', '[]', /it is an object, got \[\]/],
      ['attempt 0', { ...resultOf(1), attempt: 0 }, /"attempt" is a whole number from 1 to 2147483647, got 0/],
      ['no attempt', { output: { json: '1' } }, /"attempt" is .* got nothing/],
      ['no output', { attempt: 1 }, /"output" is \{ "json": text \} or .*, got nothing/],
      ['an output of both kinds', { attempt: 1, output: { json: '1', blob } }, /"output" is/],
      ['an output that is no JSON', { attempt: 1, output: { json: '{' } }, /the result in its "output" is no JSON/],
      ['an output that is nowhere', { attempt: 1, output: { blob } }, /artifact a{64}, which is not in the store/],
      ['files that are none', { ...resultOf(1), files: [1] }, /"files" are an object, got \[1\]/],
    ] as const)(
      'is told of where it has %s, the others are taken; so is it once it is mended',
      async ([, text, why]) => {
        await result('fan', 0, 'x');
        const { problems, taken, problemCount } = await synced(two, () =>
          put(objects, 'runs/r/fan/1/result.json', text),
        );
        expect(taken).toEqual({ succeeded: 1, failed: 0 });
        expect(problems).toEqual([problem('fan/1/result', why)]);
        expect(problemCount).toBe(1);
        await result('fan', 1, 'mended');
        expect(await sync()).toMatchObject({ taken: { succeeded: 1 }, problems: [] });
      },
    );

    it('is told of where a document is longer than one may be, unread', async () => {
      await storeRun(objects, 'r', two);
      await result('fan', 0, 'x');
      const long: ObjectStore = {
        ...objects,
        async *list(prefix) {
          for await (const info of objects.list(prefix))
            yield info.key.endsWith('result.json') ? { ...info, size: 2 ** 40 } : info;
        },
        get: (key) => (key.endsWith('result.json') ? Promise.reject(new Error('it was read')) : objects.get(key)),
      };
      const problems = [problem('fan/0/result', /1099511627776 bytes, more than the 67108864/)];
      expect(await syncRun(syncDeps(db, long), 'r')).toMatchObject({ problems });
    });

    it('is told of where a failure is none, or of another attempt', async () => {
      await storeRun(objects, 'r', two);
      await put(objects, 'runs/r/fan/0/failure-1.json', { attempt: 3, reason: 'no' });
      await put(objects, 'runs/r/fan/1/failure-1.json', { attempt: 1, reason: 7 });
      await put(objects, 'runs/r/fan/2/lost-1.json', 'evicted');
      expect((await sync()).problems).toEqual([
        problem('fan/0/failure-1', /of attempt 1 by its name, and says 3/),
        problem('fan/1/failure-1', /"reason" is a sentence, got 7/),
        problem('fan/2/lost-1', /no JSON/),
      ]);
      expect(await statesOf()).toEqual(['running', 'running', 'running']);
    });

    it('is told of where its step or task is none of the run’s', async () => {
      let last = await synced(wide);
      const work = otherSystem(objects, 'r');
      while (last.state === 'running' && (await work(last.open))) last = await sync();
      const reasons = {
        'nobody/0': 'it is of a step "nobody", which pipeline "wide" has not',
        'list/1': 'step "list" has one task, 0, and this is of 1',
        'list/0/0': 'it is no task of step "list": those lie under list/<index>',
        'list/notes': 'it is no task of step "list": those lie under list/<index>',
        'fit/0/1': 'it is no task of step "fit": those lie under fit/<item of country>/<item of month>/<index>',
        'fit/2/0/0': 'the group "country" has 2 items, and this is of item 2',
        'fit/0/2/0': 'the group "month" has 2 items, and this is of item 2',
        'fit/0/0/7': 'step "fit" has 2 tasks, 0 to 1, and this is of 7',
        'small/0': 'step "small" was skipped: by the results before it, its gate is shut',
        'none/0': 'step "none" has no task, and this is of 0',
      };
      for (const key of Object.keys(reasons)) await put(objects, `runs/r/${key}/result.json`, resultOf(1));
      const told = (await sync()).problems.map(({ key, reason }) => [key.slice(7, -12), reason]);
      expect(Object.fromEntries(told)).toEqual(reasons);
    });

    it('changes no row that is final: what says otherwise is told', async () => {
      for (const index of [0, 1, 2]) await result('fan', index, index);
      await result('end', 0, 'done');
      await synced(two);
      const before = await rowsByResults(db, 'r');
      await result('fan', 1, 'other');
      await put(objects, 'runs/r/fan/2/result.json', '{');
      expect(await sync()).toMatchObject({
        state: 'succeeded',
        problems: [
          problem('fan/1/result', /says "other", and the row that was made of it has 1/),
          problem('fan/2/result', /no JSON/),
        ],
      });
      expect(await rowsByResults(db, 'r')).toEqual(before);
    });

    it('is told a hundred times, and counted after that', async () => {
      await storeRun(objects, 'r', pipelineOf(plainStep('fan', { foreach: range(150) })));
      for (let index = 0; index < 150; index++) await put(objects, `runs/r/fan/${index}/result.json`, '{');
      const { problems, problemCount } = await sync();
      expect([problems.length, problemCount]).toEqual([100, 150]);
    });
  });

  describe('run.json', () => {
    const own = { version: 1, run: 'r', params: {}, code: [], keep_going: false };
    const made = { definitions: 'd', by: 'argo', created_at: '2026-11-25T03:15:00Z' };
    const document = { ...own, ...made, pipeline: two };
    const bad = (...steps: readonly object[]) => ({ ...document, pipeline: { ...two, steps } });
    /** In which a group `g` ends with step `a`. */
    const grouped = (steps: readonly object[], more = {}) => ({
      ...document,
      pipeline: { ...two, steps, groups: [{ name: 'g', foreach: range(1), last: 'a', ...more }] },
    });
    const newer = /written by a newer Headrace \(version 2, and this one reads 1\); use that one/;
    const [inG, needsA] = [plainStep('a', { in: 'g' }), plainStep('b', { needs: { a: 'a' } })];
    it.for([
      ['no JSON', 'version: 1', /runs\/r\/run.json can't be read: it is no JSON/],
      ['no object', '[]', /it is an object/],
      ['no version', { ...document, version: undefined }, /"version" is 1, got nothing/],
      ['a newer version', { ...document, version: 2 }, newer],
      ['another run', { ...document, run: 'q' }, /its run is "q", and it lies under r/],
      ['no definitions', { ...document, definitions: 7 }, /"definitions" is the hash/],
      ['code that is none', { ...document, code: ['x'] }, /"code" is a list of SHA-256/],
      ['no word on failures', { ...document, keep_going: 'yes' }, /"keep_going" is true or false/],
      ['nobody', { ...document, by: '' }, /"by" is 1 to 200 characters/],
      ['no time', { ...document, created_at: 'now' }, /"created_at" is a time/],
      ['parameters that the pipeline has not', { ...document, params: { x: 1 } }, /no such parameter/],
      ['parameters that are none', { ...document, params: [] }, /"params" is an object/],
      ['no pipeline', { ...document, pipeline: { name: 'p' } }, /the pipeline is none that can be run/],
      ['a step whose name leads elsewhere', bad(plainStep('../up')), /"..\/up" is not a good name/],
      ['two steps of a name', bad(plainStep('a'), plainStep('a')), /two of its steps or groups are named "a"/],
      ['a need that there is not', bad(plainStep('a', { needs: { b: 'b' } })), /"a" needs "b", which it has not/],
      ['a gate that there is not', bad(plainStep('a', { when: 'b' })), /"a" needs "b"/],
      ['a circle', bad(plainStep('a', { needs: { b: 'b' } }), needsA), /in a circle: a → b → a/],
      ['a group that there is not', bad(inG), /"a" lies in the group "g", which it has not/],
      ['a group in itself', grouped([inG], { in: 'g' }), /in a circle: g → g/],
      ['a group without an end', grouped([plainStep('a')]), /the group "g" ends with "a", which does not lie in it/],
      ['a need within a group', grouped([inG, needsA]), /"b" needs "a", which lies in a group that it does not lie in/],
    ] as const)('is refused with %s, and nothing is written', async ([, text, reason]) => {
      await put(objects, 'runs/r/run.json', text);
      const error = await sync().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'HR_ARTIFACT_UNREADABLE', message: expect.stringMatching(reason) });
      expect((await rowsOf(db)).pipeline_runs).toEqual([]);
    });

    it('must be there where the registry has no run', async () => {
      const none = /no run "r": the registry has none, and the artifact store has no runs\/r\/run.json/;
      await expect(sync()).rejects.toThrow(none);
      const refused = { code: 'HR_INVALID', message: expect.stringMatching(/a run's id is 1 to 128/) };
      for (const id of ['', '../r', 'a/b', '.', `x${'y'.repeat(128)}`, 'ä'])
        await expect(sync(id)).rejects.toMatchObject(refused);
    });

    it('goes with its run, first of all, so that nothing is made of it anew', async () => {
      await storeRun(objects, 'r', two);
      await sync('r', { ended: { state: 'failed', reason: null } });
      const removed: string[] = [];
      const watched = { ...objects, remove: (key: string) => (removed.push(key), objects.remove(key)) };
      const deps = { ...syncDeps(db, watched), owners: [], keepMicros: -1_000_000 };
      const collector = collectEndedRuns(deps);
      const { items } = await collector.plan();
      expect(items.map(({ id }) => id)).toEqual(['r']);
      await db.transaction((trx) => collector.forget(trx, items));
      for (const item of items) await collector.erase(item);
      expect(removed[0]).toBe('runs/r/run.json');
      expect(await syncRuns(syncDeps(db, objects))).toEqual({ runs: [], failed: [] });
    });

    it('is found of all runs that are not over, and a bad one keeps none of the others from it', async () => {
      for (const id of ['a', 'b', 'c']) await storeRun(objects, id, two);
      await put(objects, 'runs/bad/run.json', '{');
      await put(objects, 'runs/driven/fan/0/result.json', resultOf(1));
      await sync('b', { ended: { state: 'cancelled', reason: null } });
      const { runs, failed } = await syncRuns(syncDeps(db, objects));
      expect(runs.map(({ id, isNew }) => `${id} ${isNew}`)).toEqual(['a true', 'c true']);
      const reason = expect.stringMatching(/runs\/bad\/run.json/);
      expect(failed).toEqual([{ id: 'bad', code: 'HR_ARTIFACT_UNREADABLE', reason }]);
    });
  });

  describe('models that were registered elsewhere', () => {
    const file = 'f'.repeat(64);
    const register = plainStep('register', { action: { kind: 'registerModel', model: 'm' } });
    const training = pipelineOf(register, plainStep('other'));
    const metrics = { auc: 0.5, note: 'x' };
    const given = (model: string, artifact: unknown = file) => ({ model, version: 7, artifact, metrics });

    it('are registered here, each result once, before its row is there', async () => {
      await storeRun(objects, 'r', training);
      await result('register', 0, [given('m'), given('n'), given('m', 'no hash'), null]);
      await result('other', 0, given('m'));
      const asked: unknown[] = [];
      const registerModel: NonNullable<Parameters<typeof syncDeps>[2]>['registerModel'] = async (model) => {
        asked.push(model);
        expect((await rowsOf(db)).pipeline_tasks.filter(({ state }) => state === 'succeeded')).toEqual([]);
        return { version: asked.length, isNew: true };
      };
      const { models } = await syncRun(syncDeps(db, objects, { registerModel }), 'r');
      expect(models).toEqual([
        { model: 'm', version: 1, isNew: true },
        { model: 'n', version: 2, isNew: true },
      ]);
      expect(asked).toEqual(['m', 'n'].map((model) => ({ model, artifact: file, metrics: { auc: 0.5 }, runId: 'r' })));
      await syncRun(syncDeps(db, objects, { registerModel }), 'r');
      expect(asked).toHaveLength(2);
    });

    it('are a problem where they can not be, and their rows are made', async () => {
      await storeRun(objects, 'r', training);
      await result('register', 0, given('m'));
      const registerModel = () => Promise.reject(new HeadraceError('HR_UNKNOWN_MODEL', 'there is no model "m".'));
      const { problems, taken } = await syncRun(syncDeps(db, objects, { registerModel }), 'r');
      expect(taken.succeeded).toBe(1);
      const reason = `model "m" of it can't be registered here: there is no model "m"; mend that, and register its file ${file} by hand`;
      expect(problems).toEqual([{ key: 'runs/r/register/0/result.json', reason }]);
    });

    it('are waited for where the registry is away: no row is made before', async () => {
      await storeRun(objects, 'r', training);
      await result('register', 0, given('m'));
      const registerModel = () => Promise.reject(new HeadraceError('HR_STORAGE_UNAVAILABLE', 'away'));
      const refused = expect(syncRun(syncDeps(db, objects, { registerModel }), 'r')).rejects;
      await refused.toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
      expect(await statesOf()).not.toContain('succeeded');
    });
  });

  describe('an order', () => {
    const orderWith = async (more: object): Promise<string> => {
      const { open } = await synced(two);
      const own = await readOrder(objects, open[0]?.spec ?? '');
      return `blob:${await putBlob(objects, Buffer.from(JSON.stringify({ ...own, ...more })))}`;
    };

    it('is the one that was there first, and all go by it', async () => {
      const spec = await orderWith({ env: { MODE: 'quiet' } });
      await put(objects, 'runs/r/specs/fan.json', { version: 1, spec, tasks: 3 });
      const { open } = await elsewhere((second) => syncRun(syncDeps(second, objects), 'r'));
      expect(open).toEqual([{ step: 'fan', scope: '', spec, tasks: 3, left: 3 }]);
    });

    it.each<[object, RegExp]>([
      [{ step: 'end' }, /names an order of end of run r, not of fan of run r; remove it/],
      [{ foreach: range(9) }, /names an order of 9 tasks and says 3, and by the results before it fan has 3/],
    ])('is refused where it is of something else: %j', async (more, reason) => {
      await put(objects, 'runs/r/specs/fan.json', { version: 1, spec: await orderWith(more), tasks: 3 });
      await elsewhere((second) => expect(syncRun(syncDeps(second, objects), 'r')).rejects.toThrow(reason));
      await put(objects, 'runs/r/specs/fan.json', { version: 1, spec: 7, tasks: 3 });
      const none = expect(elsewhere((second) => syncRun(syncDeps(second, objects), 'r'))).rejects;
      await none.toThrow(/its "spec" is blob:<SHA-256>, got 7/);
    });
  });
});

/** The store, away from when `isAway` says so; `before` is called with each key that is read. */
function failing(
  objects: ObjectStore,
  isAway: () => boolean,
  before: (key: string) => Promise<void> = async () => {},
): ObjectStore {
  const unless = async <R>(work: () => Promise<R>): Promise<R> => {
    if (isAway()) throw new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the store is away');
    return await work();
  };
  return {
    ...objects,
    put: (...args) => unless(() => objects.put(...args)),
    get: (key) =>
      unless(async () => {
        await before(key);
        return await objects.get(key);
      }),
    async *list(prefix) {
      await unless(async () => {});
      yield* objects.list(prefix);
    },
  };
}
