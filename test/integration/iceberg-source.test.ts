// Iceberg tables as sources: their columns as they change, deletes of every kind, and what is said where one can't be read.

import { copyFile, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Row } from '../../src/core/index.ts';
import { DAY_COLUMNS, DAYS, expectDaysOfRanges, midnight, WITHOUT_DAY } from '../support/days-of-a-year.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { LAKE_COLUMNS, type LakeWorld, lakeRow as row, openLakeWorld } from '../support/lake-world.ts';
import { findLakeWriter, type WrittenTable } from '../support/lake-writer.ts';
import { fields, TYPES } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';
import { fullDescribe } from '../support/tier.ts';

const suite = 'Iceberg tables as sources';
const python = findLakeWriter(suite);
const extensions = findExtensions(['avro', 'iceberg'], suite);
const { int64, int32, timestamp, string, float32, float64 } = TYPES;

describe.skipIf(python === undefined || extensions === undefined)(suite, () => {
  let world: LakeWorld;
  beforeAll(async () => {
    world = await openLakeWorld(python as string, extensions);
  }, 60_000);
  afterAll(() => world?.close());

  const make = (rows: readonly Row[], columns = LAKE_COLUMNS, more: object = {}) =>
    world.table('iceberg', columns, rows, { ...more });

  it('opens the files that hold event times that are wanted, whatever the column is called in them', async () => {
    const columns = fields({ happened: timestamp, n: int32 });
    const asThen = (rows: readonly Row[]) => rows.map(({ at, n }): Row => ({ happened: at ?? null, n: n ?? null }));
    const { pin, append, change } = await make(asThen(DAYS.slice(0, 180)), columns);
    await append(asThen(DAYS.slice(180)));
    await append(asThen([WITHOUT_DAY]));
    await change('alter', { rename: [['happened', 'at']] });
    const range = { from: midnight('02-01'), to: midnight('02-03') };
    const week = await pin(DAY_COLUMNS, range);
    const events = { fromMicros: range.from, toMicros: range.to };
    expect(week.snapshot).toMatchObject({ skipped: 1, table: { events } });
    expect(await week.rows()).toHaveLength(181);
    const all = await pin(DAY_COLUMNS);
    expect(all.snapshot.table).not.toHaveProperty('events');
    expect(all.snapshot.files).toEqual(expect.arrayContaining([...week.snapshot.files]));
    await change('alter', { rename: [['at', 'time']], add: [['at', 'TimestampType']] });
    // None of its files has that column: all rows are without a time.
    expect((await pin(DAY_COLUMNS, range)).snapshot.files).toHaveLength(3);
  });

  it('lands the rows of the event times that are wanted', { timeout: 60_000 }, async () => {
    const { pin, change } = await make([...DAYS, WITHOUT_DAY, { at: midnight('02-02'), n: -2 }], [...DAY_COLUMNS]);
    await change('delete_positions', { column: 'n', value: -2 });
    await expectDaysOfRanges(async (range) => {
      const { snapshot, rows } = await pin(DAY_COLUMNS, range);
      expect(snapshot.files[0]?.path).toContain('landed');
      return (await rows()).map((text) => ({ n: (JSON.parse(text) as number[])[1] ?? null }));
    });
  });

  it('reads columns by their ids: renamed, swapped, widened, added, dropped and made anew', {
    timeout: 60_000,
  }, async () => {
    const columns = [...LAKE_COLUMNS, ...fields({ a: string, b: string, cost: float32 })];
    const { rows, pin, append, change } = await make(
      [{ ...row(1, 7, 'old'), a: 'was a', b: 'was b', cost: 0.5 }],
      columns,
    );
    const ofA = fields({ id: int64, at: timestamp, a: string });
    const before = await pin(ofA);
    await change('alter', { rename: [['v', 'amount']], widen: [['cost', 'DoubleType']] });
    await change('alter', { widen: [['amount', 'LongType']], add: [['extra', 'LongType']] });
    await change('alter', { rename: [['a', 'x']] });
    await change('alter', { rename: [['b', 'a']] });
    await change('alter', { rename: [['x', 'b']], drop: ['name'], add: [['name', 'StringType']] });
    const swapped = { a: string, b: string, cost: float64, extra: int64 };
    const now = fields({ id: int64, at: timestamp, amount: int64, name: string, ...swapped });
    // No snapshot was written since: the rows are as of then, the columns as of now.
    const first = '[1,1,7,null,"was b","was a",0.5,null]';
    expect(await rows(now)).toEqual([first]);
    // The same bytes mean something else, so an incremental run has to read them again.
    const after = await pin(ofA);
    expect(await before.rows()).toEqual(['[1,1,"was a"]']);
    expect(await after.rows()).toEqual(['[1,1,"was b"]']);
    expect(after.snapshot.files[0]?.path).toBe(before.snapshot.files[0]?.path);
    expect(after.snapshot.files[0]?.etag).not.toBe(before.snapshot.files[0]?.etag);
    const added = { id: 2n, at: 2, amount: 2n ** 40n, name: 'new', a: 'a', b: 'b', cost: 0.1, extra: 5n };
    await append([added], now);
    const run = await pin(now);
    expect(await run.rows()).toEqual([first, `[2,2,${2 ** 40},"new","a","b",0.1,5]`]);
    // By the files themselves, each with the names that it has.
    expect(run.snapshot.files).toHaveLength(2);
    expect(run.snapshot.files[0]?.path).not.toContain('landed');
  });

  it('shows its columns, as they are now', async () => {
    const { at, change } = await make([row(1, 7, 'x')]);
    await change('alter', { rename: [['v', 'amount']], add: [['raw', 'BinaryType']] });
    const types = { id: 'BIGINT', at: 'TIMESTAMP', amount: 'INTEGER', name: 'VARCHAR', raw: 'BLOB' };
    expect(await world.describe(at)).toEqual(types);
    const nowhere = world.describe({ ...at, location: { path: '/nowhere' } });
    await expect(nowhere).rejects.toThrow(/^a look: there is no Iceberg/);
  });

  it('widens a column without reading its files again', async () => {
    const { pin, append, change } = await make([row(1, 7, 'x')]);
    await change('alter', { widen: [['v', 'LongType']] });
    const now = fields({ id: int64, at: timestamp, v: int64, name: string });
    await append([{ id: 2n, at: 2, v: 2n ** 40n, name: 'y' }], now);
    const run = await pin(now);
    expect(run.snapshot.files).toHaveLength(2);
    expect(await run.rows()).toEqual(['[1,1,7,"x"]', `[2,2,${2 ** 40},"y"]`]);
  });

  it('leaves out what is deleted, by rewritten files, by positions and by values', async () => {
    const table = await make([row(1, 1, 'a'), row(2, 2, 'b'), row(3, 3, 'c'), row(4, 4, null)]);
    const { rows, append, change } = table;
    await append([row(5, 1, 'a'), row(6, 6, 'f'), row(7, 7, 'g')]);
    await change('delete', { where: 'id = 7' });
    await change('delete_positions', { column: 'name', value: 'a' });
    expect(await rows()).toHaveLength((await change('read')).rows);
    expect(await rows()).toEqual(['[2,2,2,"b"]', '[3,3,3,"c"]', '[4,4,4,null]', '[6,6,6,"f"]']);
    await change('delete_values', { column: 'v', value: 6 });
    await change('delete_values', { column: 'name', value: null });
    // A row that came after a delete is not meant by it.
    await append([row(8, 6, 'h')]);
    expect(await rows()).toEqual(['[2,2,2,"b"]', '[3,3,3,"c"]', '[8,8,6,"h"]']);
  });

  it('refuses nulls of a column that rows are deleted by, which would be lost', async () => {
    const { rows, pin, change } = await make([row(1, 1, 'a'), row(2, null, 'b'), row(3, 3, null)]);
    await change('delete_values', { column: 'id', value: 1 });
    expect(await rows()).toEqual(['[2,2,null,"b"]', '[3,3,3,null]']);
    await change('delete_values', { column: 'v', value: 3 });
    const told = /has deletes by values of "v", and rows where that is null/;
    await refused(pin(), 'HR_SOURCE_UNREADABLE', told);
    await change('alter', { rename: [['v', 'amount']] });
    await refused(pin(LAKE_COLUMNS.slice(0, 2)), 'HR_SOURCE_UNREADABLE', /has deletes by values of "amount"/);
  });

  it('reads files that another program wrote, without ids', async () => {
    const { rows, change } = await make([row(1, 1, 'a')]);
    const file = world.path('foreign.parquet');
    await copyFile(await world.file(LAKE_COLUMNS, [row(2, 2, 'b')]), file);
    await change('add_files', { file });
    expect(await rows()).toEqual(['[1,1,1,"a"]', '[2,2,2,"b"]']);
  });

  it('reads partitions, and a table that nothing was written to', async () => {
    const some = [row(1, 1, 'a/b=c d'), row(2, 2, null), row(3, 3, '')];
    const run = await (await make(some, LAKE_COLUMNS, { partition: 'name' })).pin();
    expect(run.snapshot.files).toHaveLength(3);
    expect(await run.rows()).toEqual(['[1,1,1,"a/b=c d"]', '[2,2,2,null]', '[3,3,3,""]']);
    const nothing = await (await make([])).pin();
    expect(nothing.snapshot).toMatchObject({ files: [], table: { id: 'none' } });
    expect(await nothing.rows()).toEqual([]);
  });

  it('reads a table whose addresses are URLs of files', async () => {
    const warehouse = `file://${world.directory}/lake of files`;
    const some = [row(1, 1, 'a/b=c d%'), row(2, 2, 'b')];
    const { path, rows } = await make(some, LAKE_COLUMNS, { warehouse, partition: 'name' });
    expect(path).toMatch(/^file:/);
    expect(await rows()).toEqual(['[1,1,1,"a/b=c d%"]', '[2,2,2,"b"]']);
    const { change, pin } = await make(some, LAKE_COLUMNS, { warehouse });
    await change('delete_positions', { column: 'id', value: 2 });
    const landed = await pin();
    expect(landed.snapshot.files[0]?.path).toContain('landed');
    expect(await landed.rows()).toEqual(['[1,1,1,"a/b=c d%"]']);
  });

  it('finds the newest metadata of a folder without a catalog', async () => {
    const { told, at, rows, append } = await make([row(1, 1, 'a')]);
    const folder = join(told.location, 'metadata');
    const now = await append([row(2, 2, 'b')]);
    const files = (await readdir(folder)).filter((name) => name.endsWith('.metadata.json')).sort();
    const count = async () => (await rows()).length;
    expect(await count()).toBe(2);
    const first = await world.pin({ ...at, location: { path: told.metadata } }, LAKE_COLUMNS);
    expect(await first.rows()).toHaveLength(1);
    // Two of one number: a commit that lost a race leaves its file.
    const lost = join(folder, '00002-00000000-0000-0000-0000-000000000000.metadata.json');
    await copyFile(told.metadata, lost);
    await refused(count(), 'HR_SOURCE_UNREADABLE', /two newest metadata files, 00002-.*its catalog knows/);
    await rm(lost);
    // As a table without a catalog has them.
    for (const name of files) await rename(join(folder, name), join(folder, `${name}.kept`));
    await copyFile(`${told.metadata}.kept`, join(folder, 'v1.metadata.json'));
    await writeFile(join(folder, 'version-hint.text'), '1');
    expect(await count()).toBe(1);
    // The hint is written after the commit, and may be behind.
    await writeFile(join(folder, 'v2.gz.metadata.json'), gzipSync(await readFile(`${now.metadata}.kept`)));
    expect(await count()).toBe(2);
    await writeFile(join(folder, 'version-hint.text'), '2\n');
    expect(await count()).toBe(2);
    await rm(join(folder, 'version-hint.text'));
    expect(await count()).toBe(2);
  });

  it('tells which file of deletes is gone, and keeps nothing', async () => {
    const { pin, change } = await make([row(1, 1, 'a'), row(2, 2, 'b')]);
    const { location } = await change('delete_positions', { column: 'id', value: 1 });
    const data = join(location, 'data');
    const deletes = (await readdir(data)).find((name) => name.startsWith('positions-')) as string;
    await rm(join(data, deletes));
    const kept = () => readdir(world.path('landed/events')).catch(() => []);
    const before = await kept();
    await refused(pin(), 'HR_SOURCE_CHANGED', deletes);
    expect(await kept()).toEqual(before);
  });

  // twin: test/integration/delta-source.test.ts > is told as dropped, cut short, or of other columns
  fullDescribe('is told as', () => {
    const unreadable = 'HR_SOURCE_UNREADABLE';

    it('dropped', async () => {
      const { told, pin, change } = await make([row(1, 1, 'a')]);
      await change('drop');
      await rm(told.location, { recursive: true, force: true });
      await refused(pin(), unreadable, `there is no Iceberg table at ${told.location}`);
    });

    it('cut short: its metadata, its list of manifests, a data file', { timeout: 30_000 }, async () => {
      const cut = async (which: (told: WrittenTable) => Promise<string>, what: (path: string) => string) => {
        const { told, pin } = await make([row(1, 1, 'a')]);
        const path = await which(told);
        await truncate(path, 40);
        await refused(pin(), unreadable, what(path));
      };
      await cut(
        async (told) => told.metadata,
        (path) => `${path} is no metadata of an Iceberg table`,
      );
      await cut(
        async ({ location }) => {
          const names = await readdir(join(location, 'metadata'));
          return join(location, 'metadata', names.find((name) => name.startsWith('snap-')) as string);
        },
        () => '',
      );
      await cut(
        async ({ files }) => files[0] as string,
        (path) => path,
      );
      const path = world.path('other/v1.metadata.json');
      await mkdir(world.path('other'), { recursive: true });
      await writeFile(path, '{"name": "no table"}');
      await refused(world.pin({ kind: 'iceberg', location: { path } }, LAKE_COLUMNS), unreadable);
    });

    it('without a column, and with one of another type', async () => {
      const { pin, change } = await make([row(1, 1, 'a')]);
      const lacks = pin([...LAKE_COLUMNS, ...fields({ nme: string })]);
      await refused(lacks, unreadable, /has no column "nme"\. Did you mean "name"\?/);
      await change('alter', { drop: ['v'], add: [['v', 'BooleanType']] });
      await refused(pin(), unreadable, /column "v" is BOOLEAN in the files, and was declared int32/);
    });

    it('unreadable where DuckDB has no extension for it, with what to do', { timeout: 60_000 }, async () => {
      const { at } = await make([row(1, 1, 'a')]);
      const bare = await openLakeWorld(python as string, world.path('no-extensions'));
      onTestFinished(() => bare.close());
      // Neither installed before nor to be fetched.
      await bare.connection.run("SET GLOBAL custom_extension_repository = 'http://127.0.0.1:1'");
      await bare.connection.run(`SET GLOBAL extension_directory = '${world.path('installed')}'`);
      const told = /needs DuckDB's extension "avro".*offline\.extensions, or run INSTALL avro/;
      await refused(bare.pin(at, LAKE_COLUMNS), 'HR_UNSUPPORTED', told);
    });
  });
});
