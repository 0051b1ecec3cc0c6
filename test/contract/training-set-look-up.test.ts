// One training set found among many, on every database: its own record is read, and no other.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { getTrainingSet } from '../../src/offline/index.ts';
import { migrateTrainingSets } from '../../src/offline/training-sets/training-set-store.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';

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
      await expect(found(text)).rejects.toMatchObject({ code: 'HR_UNKNOWN_TRAINING_SET' });
    },
  );
});
