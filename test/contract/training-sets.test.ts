// Training sets and their jobs on every database: who gets a place and whose turn it is, however many ask at once; and one set
// found among many, of which its own record is read, and no other.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { getTrainingSet, type JobRequest } from '../../src/offline/index.ts';
import { type JobTable, openJobTable } from '../../src/offline/jobs/job-table.ts';
import { migrateTrainingSets } from '../../src/offline/training-sets/training-set-store.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { refused } from '../support/refused.ts';

const spine = { kind: 'csv' } as const;
const of = { service: 's', timestamp: 'at', labels: [], name: null, isDetached: false };
const request: JobRequest = { ...of, boundary: 'at', spine };
const job = (id: string, owner = 'one', idempotencyKey: string | null = null, createdAtMicros = 1) => ({
  id,
  owner,
  actor: 'ann',
  idempotencyKey,
  request,
  createdAtMicros,
});

describe.each(testDatabases('jobs of training sets'))('jobs on $name', (databases) => {
  let database: Database;
  let other: Database;
  let table: JobTable;
  let same: JobTable;
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  afterEach(async () => {
    await database.close();
    await other.close();
  });
  beforeEach(async () => {
    const url = await databases.newUrl();
    database = await openDatabase(url);
    other = await openDatabase(url);
    [table, same] = [await openJobTable(database), await openJobTable(other)];
  });
  const waiting = async (...ids: string[]): Promise<void> => {
    for (const [at, id] of ids.entries()) {
      await table.admit(job(id, 'one', null, at), 100);
      await table.arrived(id, null);
    }
  };

  it('get as many places as there are, whoever asks', async () => {
    const asked = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? table : same).admit(job(`j${at}`), 7));
    const kinds = (await Promise.all(asked)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'admitted')).toHaveLength(7);
    expect(kinds.filter((kind) => kind === 'full')).toHaveLength(13);
    for (const { id } of await table.live()) await table.forget(id);
    expect(await same.admit(job('again'), 7)).toEqual({ kind: 'admitted' });
  });

  it('of one key are one, of one actor', async () => {
    const asked = Array.from({ length: 10 }, (_, at) =>
      (at % 2 === 0 ? table : same).admit(job(`j${at}`, 'one', 'key'), 100),
    );
    const found = await Promise.all(asked);
    expect(found.filter(({ kind }) => kind === 'admitted')).toHaveLength(1);
    expect(found.filter((one) => one.kind === 'repeat' && one.isArriving)).toHaveLength(9);
    expect(await table.admit({ ...job('theirs', 'one', 'key'), actor: 'bob' }, 100)).toEqual({ kind: 'admitted' });
  });

  it('run in their order, as many at once as may, each by its owner', async () => {
    await waiting('a', 'b');
    await table.admit(job('c', 'two', null, 2), 100);
    expect(await same.startNext('two', 1)).toBeUndefined();
    const started = await Promise.all([table, same, table, same].map((one) => one.startNext('one', 1)));
    expect(started.filter((one) => one !== undefined).map(({ id }) => id)).toEqual(['a']);
    expect((await table.startNext('one', 2))?.id).toBe('b');
    // Its spine is not there yet.
    expect(await same.startNext('two', 3)).toBeUndefined();
    await same.arrived('c', 'hash');
    expect((await same.startNext('two', 3))?.id).toBe('c');
  });

  it('end once, by their owner or by who saw that it is silent', async () => {
    await waiting('a', 'b');
    const ending = { state: 'done', trainingSet: 't', error: null, atMicros: 5 } as const;
    const error = { code: 'HR_JOB_LOST', message: 'm' } as const;
    const lost = { state: 'failed', trainingSet: null, error, atMicros: 6 } as const;
    expect(await table.finish('a', ending, { owner: 'two' })).toBe(false);
    expect(await table.finish('a', ending, { owner: 'one' })).toBe(true);
    expect(await table.finish('a', lost, { owner: 'one' })).toBe(false);
    expect(await same.read('a')).toMatchObject({ state: 'done', trainingSet: 't', error: null, finishedAtMicros: 5 });
    const [seen] = await same.live();
    await table.beat('one');
    expect(await same.finish('b', lost, { owner: 'one', beats: Number(seen?.beats) })).toBe(false);
    expect(await same.finish('b', lost, { owner: 'one', beats: Number(seen?.beats) + 1 })).toBe(true);
    expect(await table.read('b')).toMatchObject({ state: 'failed', error: { code: 'HR_JOB_LOST' } });
    expect(await table.live()).toEqual([]);
  });

  it('are nobody’s to see while their spine arrives, and leave no row where it does not', async () => {
    await table.admit(job('a'), 100);
    expect(await same.read('a')).toBeUndefined();
    await table.forget('a');
    expect(await table.arrived('a', null)).toBe(false);
    await waiting('b');
    await table.forget('b');
    expect(await same.read('b')).toMatchObject({ state: 'queued', progress: null });
  });

  it('that ended are kept for a while, and so many', async () => {
    await waiting(...Array.from({ length: 6 }, (_, at) => `j${at}`));
    for (let at = 0; at < 5; at++) {
      const cancelled = { state: 'cancelled', trainingSet: null, error: null, atMicros: at * 10 } as const;
      await table.finish(`j${at}`, cancelled, { owner: 'one' });
    }
    await table.prune(10, 3);
    const kept = await Promise.all([0, 1, 2, 3, 4, 5].map(async (at) => (await same.read(`j${at}`)) !== undefined));
    expect(kept).toEqual([false, false, true, true, true, true]);
  });
});

interface Tables {
  training_sets: { id: string; name: string | null; created_at_micros: number; record: string };
}

describe.each(testDatabases('training sets by id or name'))('a training set on $name', (databases) => {
  let database: Database;
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  afterEach(() => database.close());
  beforeEach(async () => {
    database = await migrateTrainingSets(await openDatabase(await databases.newUrl()));
    const rows = [
      ['aaaaaaaa11', null, '{"id":"aaaaaaaa11"}'],
      ['aaaaaaaa22', 'named', '{"id":"aaaaaaaa22"}'],
      ['bbbb_bbb33', 'named', '{"id":"bbbb_bbb33"}'],
      // Whoever read it would fail.
      ['bbbbxbbb44', 'other', 'no JSON'],
    ] as const;
    await database
      .tables<Tables>()
      .insertInto('training_sets')
      .values(rows.map(([id, name, record], at) => ({ id, name, created_at_micros: at, record })))
      .execute();
  });
  const found = async (idOrName: string) => (await getTrainingSet({ database }, idOrName)).id;

  it('is found by its id, by a beginning that no other has, and by its name, which is the newest’s', async () => {
    expect(await found('aaaaaaaa11')).toBe('aaaaaaaa11');
    expect(await found('aaaaaaaa2')).toBe('aaaaaaaa22');
    expect(await found('bbbb_bbb')).toBe('bbbb_bbb33');
    expect(await found('named')).toBe('bbbb_bbb33');
  });

  it.each(['aaaaaaaa', 'aaaaaaa', 'bbbb_bb', 'NAMED', 'aaaaaaaa%', '', "x' or '1'='1"])(
    'is none of %s',
    async (text) => {
      await refused(found(text), 'HR_UNKNOWN_TRAINING_SET');
    },
  );
});
