// The quarantine's tables on each database: rows come once, go once, are bounded, and a release that broke off is finished
// under the same key.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { addReleases, type HeldRow, loadReleases, openQuarantine, type Quarantine } from '../../src/checks/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';

const row = (id: string, arrivedMicros = 5, source = 's'): HeldRow => ({
  id,
  source,
  row: `{"id":"${id}","big":9007199254740993}`,
  reasons: [{ rule: 'notNull(x)', column: 'x', message: 'expected a value, got null' }],
  arrivedMicros,
});
const ending = { at: 1_000_000, by: 'me', reason: 'why' };

describe.each(testDatabases('the quarantine'))('the quarantine on $name', (databases) => {
  let database: Database;
  let quarantine: Quarantine;
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    database = await openDatabase(await databases.newUrl());
    quarantine = await openQuarantine(database, { maxBytes: 1200 });
  });
  afterEach(() => database.close());

  it('keeps rows once, the oldest first, by source', async () => {
    expect(await quarantine.hold([row('b', 7), row('a', 6)])).toEqual(['b', 'a']);
    expect(await quarantine.hold([row('a', 9), row('c', 8), row('o', 1, 'other')])).toEqual(['c', 'o']);
    expect(await quarantine.rows('s')).toEqual([row('a', 6), row('b', 7), row('c', 8)]);
    expect(await quarantine.rows('s', 1)).toEqual([row('a', 6)]);
    expect(await quarantine.list()).toMatchObject([
      { source: 'other', rows: 1 },
      { source: 's', rows: 3, oldestMicros: 6, newestMicros: 8 },
    ]);
    await quarantine.withdraw(['c']);
    expect((await quarantine.rows('s')).map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('has an end, at which it keeps none of what comes', async () => {
    const many = Array.from({ length: 9 }, (_, i) => row(`r${i}`));
    expect(await quarantine.hold(many)).toHaveLength(9);
    await expect(quarantine.hold([row('x'), row('y'), row('z'), row('r1')])).rejects.toMatchObject({
      code: 'HR_QUARANTINE_FULL',
    });
    expect(await quarantine.rows('s')).toHaveLength(9);
    expect(await quarantine.drop('s', ['r1', 'r2', 'nothing'], ending)).toBe(2);
    expect(await quarantine.hold([row('x'), row('r1')])).toEqual(['x']);
  });

  it('takes what many processes bring at once, each row once', async () => {
    const results = await Promise.all(Array.from({ length: 6 }, () => quarantine.hold([row('a'), row('b')])));
    expect(results.flat().toSorted()).toEqual(['a', 'b']);
  });

  it('gives a release that broke off again under its key, and then what else there is', async () => {
    await quarantine.hold([row('a'), row('b'), row('c')]);
    const [first] = await quarantine.beginRelease('s', ['a', 'b', 'nothing']);
    expect(first?.rows.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(await quarantine.drop('s', ['a'], ending)).toBe(0);
    const again = await quarantine.beginRelease('s');
    expect(again).toEqual([first, { key: expect.not.stringMatching(first?.key as string), rows: [row('c')] }]);
    await quarantine.finishRelease(first?.key as string, ending);
    expect((await quarantine.rows('s')).map(({ id }) => id)).toEqual(['c']);
    // A repeat of the push that brought them.
    expect(await quarantine.hold([row('a'), row('b')])).toEqual([]);
    await quarantine.finishRelease(again[1]?.key as string, { ...ending, at: ending.at + 31 * 86_400_000_000 });
    expect(await quarantine.hold([row('a')])).toEqual(['a']);
  });

  it('remembers which rows of files were put back, and as of when', async () => {
    const columns = [{ name: 'x', type: { kind: 'int64' } }] as const;
    const putBack = (source: string, ...hashes: string[]): Promise<number> => {
      const rows = hashes.map((hash) => ({ hash, row: '{}' }));
      return addReleases(database, source, columns, rows, ending);
    };
    const none = await loadReleases(database);
    expect([none.last, none.of('s')]).toEqual([0, []]);
    expect(await putBack('s', '1', '1')).toBe(1);
    expect(await putBack('other', '9')).toBe(1);
    const before = await loadReleases(database);
    expect(await putBack('s', '1', '2')).toBe(1);
    const after = await loadReleases(database);
    expect([before.lastOf('s'), after.lastOf('s'), after.lastOf('nothing')]).toEqual([1, 3, 0]);
    expect(after.of('s')).toEqual([{ columns, hashes: new Set(['1', '2']) }]);
    expect((await loadReleases(database, before.last)).of('s')).toEqual([{ columns, hashes: new Set(['1']) }]);
  });
});
