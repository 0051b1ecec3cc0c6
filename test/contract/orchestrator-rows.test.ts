// The orchestrator's rows on every database: claims never overlap, the attempt number fences, dead runs are taken over.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PipelineSpec } from '../../src/definitions/index.ts';
import { isLeaseLive, LEASE_MICROS, newOwner } from '../../src/orchestrator/lease.ts';
import {
  endRun,
  insertRun,
  migrateRuns,
  renewLease,
  requestCancel,
  requireRun,
  takeOver,
  tables,
} from '../../src/orchestrator/run-rows.ts';
import {
  type Claim,
  claimTasks,
  commitTask,
  failTask,
  nextRetryAt,
  openStep,
  stepOutputs,
} from '../../src/orchestrator/task-rows.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';

const step = {
  action: { kind: 'python' as const, script: 'x.py', args: {} },
  needs: {},
  retry: 0,
  timeoutMicros: null,
  resources: {},
};
const pipeline: PipelineSpec = {
  name: 'p',
  params: [],
  steps: [
    { ...step, name: 'fan' },
    { ...step, name: 'end', needs: { fan: 'fan' } },
  ],
};
const elsewhere = 'elsewhere/1/aa';

describe.each(testDatabases('orchestrator rows'))('on $name', (databases) => {
  let db: Database;
  let other: Database;

  beforeAll(() => databases.start());
  afterAll(async () => {
    await db?.close();
    await other?.close();
    await databases.stop();
  });
  beforeEach(async () => {
    await db?.close();
    await other?.close();
    const url = await databases.newUrl();
    [db, other] = [await openDatabase(url), await openDatabase(url)];
    await Promise.all([migrateRuns(db), migrateRuns(other)]);
    await insertRun(db, { id: 'r', owner: elsewhere, now: 0, manifestHash: 'h' }, pipeline, { seed: 7 });
    await openStep(db, { runId: 'r', step: 'fan', children: 20, now: 1 });
  });

  const claim = (database: Database, limit: number, now = 1, owner = elsewhere): Promise<readonly Claim[]> =>
    claimTasks(database, { runId: 'r', step: 'fan', owner, now, limit });

  it('gives each task to one of many workers that claim at once', async () => {
    const claims = (
      await Promise.all(Array.from({ length: 12 }, (_, at) => claim(at % 2 === 0 ? db : other, 2)))
    ).flat();
    expect(claims.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, at) => at),
    );
  });

  it('lets only the newest attempt commit, and once', async () => {
    const [first] = await claim(db, 1);
    if (first === undefined) throw new Error('nothing to claim');
    expect(await failTask(db, first, { error: 'lost', retryAt: 5, now: 2 })).toBe(true);
    expect(await nextRetryAt(db, 'r')).toBe(5);
    expect((await claim(db, 1, 4))[0]?.index).toBe(1);
    const [again] = await claim(other, 1, 5);
    expect(again).toMatchObject({ index: 0, attempt: 2, failures: 1 });
    expect(await commitTask(db, first, 'late', 6)).toBe(false);
    if (again === undefined) throw new Error('nothing to claim');
    expect(await commitTask(db, again, 'good', 7)).toBe(true);
    expect(await commitTask(db, again, 'twice', 8)).toBe(false);
    expect(await stepOutputs(db, 'r', 'fan')).toEqual(['good']);
  });

  it('closes a step with its last task, in the order of its children', async () => {
    const claims = await claim(db, 20);
    await Promise.all(
      claims.toReversed().map((held, at) => commitTask(at % 2 === 0 ? db : other, held, `o${held.index}`, 9)),
    );
    expect(await stepOutputs(db, 'r', 'fan')).toEqual(Array.from({ length: 20 }, (_, at) => `o${at}`));
    const row = await tables(db)
      .selectFrom('orchestrator_steps')
      .selectAll()
      .where('step', '=', 'fan')
      .executeTakeFirstOrThrow();
    expect(row).toMatchObject({ state: 'succeeded', finished: 20, next_index: 20 });
  });

  it('hands a run over only when its lease has run out, and fences the one who had it', async () => {
    const [held, done] = await claim(db, 2);
    if (held === undefined || done === undefined) throw new Error('nothing to claim');
    await commitTask(db, done, 'kept', 2);
    expect(await renewLease(db, 'r', elsewhere, 10)).toBe('held');
    const owner = newOwner();
    await expect(takeOver(other, 'r', owner, LEASE_MICROS + 9)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    expect(await takeOver(other, 'r', owner, LEASE_MICROS + 10)).toBe(true);
    expect(await renewLease(db, 'r', elsewhere, LEASE_MICROS + 11)).toBe('lost');
    expect(await commitTask(db, held, 'from the dead', LEASE_MICROS + 11)).toBe(false);
    const claims = await claim(other, 20, LEASE_MICROS + 12, owner);
    expect(claims.map(({ index, attempt }) => [index, attempt])).toEqual([
      [held.index, 2],
      ...Array.from({ length: 18 }, (_, at) => [at + 2, 1]),
    ]);
    await endRun(db, { id: 'r', owner: elsewhere, now: 1, state: 'failed' });
    expect((await requireRun(tables(db), 'r')).state).toBe('running');
  });

  it('cancels at once a run that nobody drives, and asks the one who does', async () => {
    expect(await requestCancel(db, 'r', 1)).toBe(true);
    expect(await renewLease(db, 'r', elsewhere, 2)).toBe('cancelled');
    expect((await requireRun(tables(db), 'r')).state).toBe('running');
    await insertRun(db, { id: 'dead', owner: elsewhere, now: 0, manifestHash: 'h' }, pipeline, {});
    expect(await requestCancel(db, 'dead', LEASE_MICROS)).toBe(true);
    expect(await requireRun(tables(db), 'dead')).toMatchObject({ state: 'cancelled', finished_at: LEASE_MICROS });
    expect(await requestCancel(db, 'dead', LEASE_MICROS)).toBe(false);
    expect(isLeaseLive(null, LEASE_MICROS, 0)).toBe(false);
  });

  it('keeps every event', async () => {
    const [held] = await claim(db, 1);
    if (held === undefined) throw new Error('nothing to claim');
    await commitTask(db, held, 'o', 3);
    const events = await tables(db)
      .selectFrom('orchestrator_events')
      .selectAll()
      .where('run_id', '=', 'r')
      .orderBy('id')
      .execute();
    expect(events.map(({ kind, step: of, item_index: index, at }) => [kind, of, index, at])).toEqual([
      ['started', null, null, 0],
      ['step opened', 'fan', null, 1],
      ['claimed', 'fan', 0, 1],
      ['succeeded', 'fan', 0, 3],
    ]);
  });
});
