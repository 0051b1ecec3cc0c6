// Delta tables as sources: their columns as they change, and deletes of every kind; and what is said where one can't be read.

import { readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DAY_COLUMNS, DAYS, expectDaysOfRanges, midnight, WITHOUT_DAY } from '../support/days-of-a-year.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { LAKE_COLUMNS, type LakeWorld, lakeRow as row, openLakeWorld } from '../support/lake-world.ts';
import { findLakeWriter } from '../support/lake-writer.ts';
import { fields, TYPES } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';

const suite = 'Delta tables as sources';
const python = findLakeWriter(suite);
const extensions = findExtensions(['delta'], suite);

describe.skipIf(python === undefined || extensions === undefined)(suite, () => {
  let world: LakeWorld;
  beforeAll(async () => {
    world = await openLakeWorld(python as string, extensions);
  }, 60_000);
  afterAll(() => world?.close());

  const make = (rows: Parameters<LakeWorld['table']>[2], more: object = {}, columns = LAKE_COLUMNS) =>
    world.table('delta', columns, rows, { ...more });

  it('follows deletes, updates, merges, a compaction and a checkpoint', { timeout: 60_000 }, async () => {
    const { path, rows, pin, change } = await make([row(1, 1, 'a'), row(2, 2, 'b'), row(3, 3, 'c')]);
    await change('delete', { where: 'id = 2' });
    expect(await rows()).toEqual(['[1,1,1,"a"]', '[3,3,3,"c"]']);
    await change('update', { where: 'id = 3', values: { v: '30' } });
    expect(await rows()).toEqual(['[1,1,1,"a"]', '[3,3,30,"c"]']);
    const file = await world.file(LAKE_COLUMNS, [row(3, 31, 'C'), row(4, 4, 'd')]);
    await change('merge', { file, on: 's.id = t.id' });
    const merged = ['[1,1,1,"a"]', '[3,3,31,"C"]', '[4,4,4,"d"]'];
    expect(await rows()).toEqual(merged);
    await change('optimize');
    await change('checkpoint');
    // A checkpoint takes the place of the commits before it, which a cleaning of the log removes.
    const log = join(path, '_delta_log');
    for (const name of await readdir(log)) if (/^\d+\.json$/.test(name)) await rm(join(log, name));
    expect(await rows()).toEqual(merged);
    expect((await pin()).snapshot.files).toHaveLength(1);
  });

  it('reads columns that are added, renamed, and of a wider type', { timeout: 60_000 }, async () => {
    const { rows, pin, append, change } = await make([row(1, 7, 'old')]);
    const wider = [...LAKE_COLUMNS, ...fields({ extra: TYPES.int64 })];
    await append([{ ...row(2, 8, 'new'), extra: 5n }], wider, { merge: true });
    expect(await rows(wider)).toEqual(['[1,1,7,"old",null]', '[2,2,8,"new",5]']);
    expect((await pin()).snapshot.files).toHaveLength(2);
    await change('rename', { column: 'v', to: 'amount' });
    const renamed = fields({ id: TYPES.int64, at: TYPES.timestamp, amount: TYPES.int64, name: TYPES.string });
    expect(await rows(renamed)).toEqual(['[1,1,7,"old"]', '[2,2,8,"new"]']);
    await expect(pin()).rejects.toThrow(/has no column "v"/);
  });

  it('shows its columns, as they are now', async () => {
    const { at, change } = await make([row(1, 7, 'x')], { partition: ['name'] });
    await change('rename', { column: 'v', to: 'amount' });
    const types = { id: 'BIGINT', at: 'TIMESTAMP', amount: 'INTEGER', name: 'VARCHAR' };
    expect(await world.describe(at)).toEqual(types);
  });

  it('reads partitions, whose values are in no file', async () => {
    const some = [row(1, 1, 'a/b=c d'), row(2, 2, null), row(3, 3, 'é%20+#')];
    const { rows } = await make(some, { partition: ['name'] });
    expect(await rows()).toEqual(['[1,1,1,"a/b=c d"]', '[2,2,2,null]', '[3,3,3,"é%20+#"]']);
  });

  it('opens the files that hold event times that are wanted', async () => {
    const { pin, append } = await make(DAYS.slice(0, 180), {}, [...DAY_COLUMNS]);
    await append(DAYS.slice(180));
    const range = { from: midnight('12-01'), to: midnight('12-03') };
    const { snapshot, rows } = await pin(DAY_COLUMNS, range);
    expect(snapshot).toMatchObject({ skipped: 1, table: { events: { fromMicros: range.from, toMicros: range.to } } });
    expect(await rows()).toHaveLength(185);
  });

  it('lands the rows of the event times that are wanted, of partitions too', { timeout: 60_000 }, async () => {
    const columns = [...DAY_COLUMNS, ...fields({ half: TYPES.int32 })];
    const halves = [...DAYS, WITHOUT_DAY].map((day, i) => ({ ...day, half: i % 2 }));
    const { pin } = await make(halves, { partition: ['half'] }, columns);
    await expectDaysOfRanges(async (range) => {
      const { snapshot, rows } = await pin(columns, range);
      expect(snapshot.files[0]?.path).toContain('landed');
      return (await rows()).map((text) => ({ n: (JSON.parse(text) as number[])[1] ?? null }));
    });
  });

  it('leaves out the rows that deletion vectors name', async () => {
    const configuration = { 'delta.enableDeletionVectors': 'true' };
    const { pin, append, change } = await make([row(1, 1, 'a'), row(2, 2, 'b'), row(3, 3, 'a')], { configuration });
    await append([row(4, 4, 'd'), row(5, 5, 'a')]);
    await change('delete_vectors', { column: 'name', value: 'a' });
    const { snapshot, rows } = await pin();
    expect(await rows()).toEqual(['[2,2,2,"b"]', '[4,4,4,"d"]']);
    expect(snapshot.files[0]?.path).toContain(join('landed', 'events'));
  });

  it('tells which file of its partitions is gone, and keeps nothing', async () => {
    const { path, told, pin } = await make([row(1, 1, 'a')], { partition: ['name'] });
    const [file = ''] = told.files;
    await rm(file);
    await refused(pin(), 'HR_SOURCE_CHANGED', `${file}, a file of snapshot 0 of ${path}, was removed`);
  });

  it('is told as dropped, cut short, or of other columns', { timeout: 30_000 }, async () => {
    const unreadable = 'HR_SOURCE_UNREADABLE';
    const dropped = await make([row(1, 1, 'a')]);
    await rm(dropped.path, { recursive: true });
    await refused(dropped.pin(), unreadable, `there is no Delta table at ${dropped.path}`);
    const cut = await make([row(1, 1, 'a')]);
    await truncate(join(cut.path, '_delta_log', `${'0'.repeat(20)}.json`), 500);
    await refused(cut.pin(), unreadable, `version 0 of ${cut.path} cannot be read`);
    const damaged = await make([row(1, 1, 'a')]);
    await truncate(damaged.told.files[0] as string, 40);
    await refused(damaged.pin(), unreadable, damaged.path);
    const other = await make([row(1, 1, 'a')]);
    await refused(other.pin([...LAKE_COLUMNS, ...fields({ nme: TYPES.string })]), unreadable, /Did you mean "name"\?/);
    const changed = LAKE_COLUMNS.map((column) => (column.name === 'v' ? { ...column, type: TYPES.bool } : column));
    await other.append([{ ...row(1, 1, 'a'), v: true }], changed, { mode: 'overwrite' });
    await refused(other.pin(), unreadable, /column "v" is BOOLEAN in the files, and was declared int32/);
  });
});
