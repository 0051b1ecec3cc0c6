// Runs as rows with the rest of the registry, on every database: what they need of the object store, and what of them may go.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fixedClock } from '../../src/core/index.ts';
import { collectEndedRuns } from '../../src/orchestrator/rows/collect-ended-runs.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { cachedOutputRows, runStoreRows } from '../../src/orchestrator/rows/run-rows-owner.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { blobKey, type Database, type ObjectStore, openDatabase } from '../../src/storage/index.ts';
import { openObjectStore, putBlob, type RowsOwner } from '../../src/storage/index.ts';
import { databasesByTier } from '../support/databases.ts';
import { makeOldRuns } from '../support/old-runs.ts';
import { batchOf, claimed, miscounts, newRun, passLeases } from '../support/run-rows.ts';
import { pipeline, rowsOf, stepOf, taskOf } from '../support/run-rows.ts';

const DAY = 86_400_000_000;
const elsewhere = 'elsewhere/1/aa';

describe.each(databasesByTier('runs as rows among others'))('on $name', (databases) => {
  let folder = '';
  let url = '';
  let db: Database;
  let store: RunStore;
  let objects: ObjectStore;

  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-run-rows-'));
    objects = openObjectStore(`file:${folder}`);
    url = await databases.newUrl();
    db = await openDatabase(url);
    store = await openRunStore(db, fixedClock(5));
  });
  afterEach(async () => {
    await db.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const text = (content: string): Buffer => Buffer.from(content);
  const ended = async (id: string, endedAt: number): Promise<void> => {
    await store.create(newRun(id));
    const { epoch } = await store.take(id, elsewhere);
    await store.flush(id, epoch, 1, claimed(1));
    await store.flush(id, epoch, 2, batchOf({ tasks: [taskOf(0)], run: { state: 'succeeded', error: null, endedAt } }));
    await store.release(id, epoch);
  };

  const owners = (): readonly RowsOwner[] => [runStoreRows(objects), cachedOutputRows(objects)];
  const neededOthers = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    for (const owner of owners())
      for await (const { kind, id } of owner.needs?.(db.tables()) ?? []) found.push(`${kind} ${id}`);
    return found;
  };
  /** Keys that the rows need, and what is said of one that is gone. */
  const needed = async (): Promise<ReadonlyMap<string, string>> => {
    const found = new Map<string, string>();
    for (const owner of owners())
      for await (const { key, ifGone } of owner.objects?.(db.tables()) ?? []) found.set(key, ifGone);
    return found;
  };

  it('name the outputs, files, orders, items, logs and training sets that they need', async () => {
    const [file, code, named] = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [string, string, string];
    const long = await putBlob(objects, text(`{"files":{"a":{"sha256":"${file}","size":1}}}`));
    const order = await putBlob(objects, text(`{"action":{"function":"${code}"}}`));
    await objects.put('runs/r/logs/fan/0/1.txt', text('said'));
    await objects.put('runs/another/logs/fan/0/1.txt', text('said'));
    await store.create(newRun('r'));
    const { epoch } = await store.take('r', elsewhere);
    const tasks = [
      taskOf(0, { expects: null, output: { blob: long } }),
      taskOf(1, { expects: null, output: { json: `{"model":"${named}","set":{"id":"0123456789abcdef"}}` } }),
      taskOf(2, { expects: null, output: { blob: 'e'.repeat(64) } }),
    ];
    // A run that goes on compares the items of now with these, whatever became of the results that they came from.
    const [items, placement] = ['4', '5'].map((digit) => digit.repeat(64)) as [string, string];
    const edited = { order: null, items: `blob:${items}`, placement: `blob:${placement}` };
    const steps = [stepOf({ order: `blob:${order}` }), stepOf({ step: 'end', ...edited })];
    await store.flush('r', epoch, 1, batchOf({ steps, tasks }));
    const lost = [long, file, 'e'.repeat(64), order, items, placement].map((hash) => [blobKey(hash), 'lost'] as const);
    const unsaid = [named, code].map((hash) => [blobKey(hash), 'unsaid'] as const);
    expect(await needed()).toEqual(new Map([...lost, ...unsaid, ['runs/r/logs/fan/0/1.txt', 'unsaid']]));
    expect(await neededOthers()).toEqual(['definitions h', 'training set 0123456789abcdef']);
  });

  it('name what a cached output needs, also once no task of the run has that output any more', async () => {
    const file = '1'.repeat(64);
    const long = await putBlob(objects, text(`{"files":{"a":{"sha256":"${file}","size":1}}}`));
    const short = `{"model":{"sha256":"${'2'.repeat(64)}"},"set":{"id":"0123456789abcdef"}}`;
    const outputs = [{ blob: long }, { json: short }];
    await store.create(newRun('r'));
    const { epoch } = await store.take('r', elsewhere);
    const tasks = outputs.map((output, index) => taskOf(index, { expects: null, output }));
    const cached = outputs.map((output, at) => ({ key: `key${at}`, output, at }));
    await store.flush('r', epoch, 1, batchOf({ steps: [stepOf({ order: null })], tasks, cached }));
    // Its foreach has other items since: the rows of both tasks are kept apart.
    const dropped = [{ step: 'fan', scope: '', numbers: [[0, 2] as const] }];
    await store.flush('r', epoch, 2, batchOf({ dropped }));
    expect((await store.cached(['key0', 'key1'])).size).toBe(2);
    const names = [long, file, '2'.repeat(64)];
    expect(await needed()).toEqual(new Map(names.map((name) => [blobKey(name), 'lost'])));
    expect(await neededOthers()).toEqual(['definitions h', 'training set 0123456789abcdef']);
  });

  it('name what results of runs without rows name, which another system drives', async () => {
    const [file, other] = ['1'.repeat(64), '2'.repeat(64)];
    const long = await putBlob(objects, text(`{"files":{"b":{"sha256":"${other}"}}}`));
    const files = { 'a.txt': { sha256: file, size: 1, uri: `blob:${file}` } };
    const result = { attempt: 1, output: { blob: long }, files };
    await objects.put('runs/driven/fan/3/0/result.json', text(JSON.stringify(result)));
    await objects.put('runs/driven/logs/fan/0/1.txt', text('said'));
    expect([...(await needed()).keys()].toSorted()).toEqual([file, other, long].map(blobKey).toSorted());
  });

  it('name what a run that is driven elsewhere goes by, and its results until its rows are all made', async () => {
    const digits = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [string, string, string];
    const [code, order, blob] = digits;
    await objects.put('runs/e/run.json', text(`{"code":["${code}"]}`));
    await objects.put('runs/e/specs/fan/0.json', text(`{"spec":"blob:${order}"}`));
    await objects.put('runs/e/fan/0/0/result.json', text(`{"attempt":1,"output":{"blob":"${blob}"},"files":{}}`));
    const named = async () => {
      const found = await needed();
      return digits.filter((name) => found.has(blobKey(name)));
    };
    expect(await named()).toEqual(digits);
    await store.create(newRun('e', { elsewhere: 'argo' }));
    expect(await named()).toEqual(digits);
    const { epoch } = await store.take('e', elsewhere, { isElsewhere: true });
    await store.flush('e', epoch, 1, batchOf({ run: { state: 'failed', error: 'x', endedAt: 9 } }));
    expect(await named()).toEqual([code, order]);
  });

  it('are nobody’s at another place, and their drivers of before write nothing', async () => {
    await store.create(newRun('r'));
    const { epoch } = await store.take('r', elsewhere);
    await db.transaction(async (trx) => runStoreRows(objects).settle?.(trx));
    await expect(store.flush('r', epoch, 1, claimed(1))).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    expect((await store.take('r', elsewhere)).epoch).toBe(epoch + 2);
  });

  /** Of runs that ended a week ago, but those that `needs` names. */
  const collectorBy = (needs: NonNullable<RowsOwner['needs']>) =>
    collectEndedRuns({
      database: db,
      objects,
      clock: fixedClock(10 * DAY),
      workDirectory: join(folder, 'work'),
      keepMicros: 7 * DAY,
      owners: [{ table: 'others', needs }],
    });

  it('go once they ended long ago and nobody needs them, with what lies under their keys', async () => {
    await ended('old', DAY);
    await ended('needed', DAY);
    await ended('young', 9 * DAY);
    await store.create(newRun('waiting'));
    await objects.put('runs/old/logs/fan/0/1.txt', text('said'));
    const collector = collectorBy(async function* needs() {
      yield { kind: 'run', id: 'needed' };
    });
    const { items } = await collector.plan();
    expect(items).toMatchObject([{ id: 'old', bytes: 4, sinceMicros: DAY }]);
    expect(await db.transaction((trx) => collector.forget(trx, items))).toEqual(items);
    for (const item of items) await collector.erase(item);
    const rows = await rowsOf(db);
    const left = Object.values(rows).flatMap((of) => of.map((row) => ('run_id' in row ? row.run_id : row.id)));
    expect(new Set(left)).toEqual(new Set(['needed', 'young', 'waiting']));
    expect(await objects.get('runs/old/logs/fan/0/1.txt')).toBeUndefined();
    expect((await collector.plan()).items).toEqual([]);
  });

  it('stay where somebody goes on with one while it is about to go', async () => {
    await ended('old', DAY);
    const other = await openDatabase(url);
    const asked = await openRunStore(other, fixedClock(6));
    let resumed: Promise<unknown> = Promise.resolve();
    // Between the look at what may go and its going; SQLite lets nobody in until it is gone.
    const collector = collectorBy(async function* needs() {
      resumed = asked.requestResume('old', { keepDone: false }).catch(({ code }) => code);
      if (databases.name === 'Postgres') await resumed;
      yield { kind: 'run', id: 'another' };
    });
    const item = { id: 'old', what: '', why: '', bytes: null, sinceMicros: DAY };
    const gone = await db.transaction((trx) => collector.forget(trx, [item]));
    const left = await store.get('old').then(
      ({ run }) => run.state,
      ({ code }: { code: string }) => code,
    );
    const isFirst = databases.name === 'SQLite';
    expect([gone, await resumed, left]).toEqual(
      isFirst ? [[item], 'HR_UNKNOWN_RUN', 'HR_UNKNOWN_RUN'] : [[], true, 'queued'],
    );
    expect(await store.tasks('old', 'fan')).toHaveLength(isFirst ? 0 : 1);
    await other.close();
  });

  it('of the earlier tables are brought over, and gone on with', async () => {
    await db.close();
    db = await openDatabase(await databases.newUrl());
    await makeOldRuns(db, pipeline, elsewhere);
    store = await openRunStore(db, fixedClock(5));
    expect(await miscounts(db)).toEqual([]);
    const { run, steps } = await store.get('half');
    const half = { state: 'running', params: { seed: 7 }, createdAt: 1000, driver: elsewhere, tick: null };
    expect(run).toMatchObject({ ...half, spec: pipeline });
    expect(steps.map(({ step, state, nextIndex, children }) => [step, state, nextIndex, children])).toEqual([
      ['fan', 'failed', 3, 4],
      ['end', 'waiting', 0, null],
    ]);
    expect((await store.tasks('half', 'fan')).map(({ state, output, error }) => [state, output, error])).toEqual([
      ['succeeded', { blob: 'a'.repeat(64) }, null],
      ['failed', null, 'no'],
      ['retry', null, null],
    ]);
    const events = (await store.events('half')).map(({ number, kind, index }) => `${number} ${kind} ${index}`);
    const claims = [0, 1, 2].map((index) => `${index + 3} claimed ${index}`);
    expect(events).toEqual(['1 started null', '2 step opened null', ...claims, '6 succeeded 0', '7 failed 1']);
    expect((await store.get('done')).run).toMatchObject({ state: 'cancelled', endedAt: 1005 });
    await passLeases(db, 15_001);
    expect(await store.requestResume('half', { keepDone: true })).toBe(true);
    const { epoch } = await store.take('half', elsewhere);
    const { tasks } = await store.load('half');
    expect(tasks.map(({ index, state }) => `${index} ${state}`)).toEqual(['1 retry', '2 retry']);
    await store.flush('half', epoch, 1, batchOf({ events: [{ at: 1, kind: 'next' }] }));
    expect((await store.events('half')).at(-1)).toMatchObject({ number: 9, kind: 'next' });
  });
});
