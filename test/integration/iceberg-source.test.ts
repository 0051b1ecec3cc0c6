// Iceberg tables as sources: their columns as they change, deletes of every kind, and what becomes of a run over a table that
// is rewritten, cleaned, damaged or dropped under it.

import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Field, Row } from '../../src/core/index.ts';
import { DAY_COLUMNS, DAYS, expectDaysOfRanges, midnight, WITHOUT_DAY } from '../support/days-of-a-year.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { type LakeWorld, openLakeWorld } from '../support/lake-world.ts';
import { findLakeWriter, type WrittenTable } from '../support/lake-writer.ts';
import { fields, TYPES } from '../support/offline-world.ts';
import { fullDescribe } from '../support/tier.ts';

const suite = 'Iceberg tables as sources';
const python = findLakeWriter(suite);
const extensions = findExtensions(['avro', 'iceberg'], suite);

const COLUMNS = fields({ id: TYPES.int64, at: TYPES.timestamp, v: TYPES.int32, name: TYPES.string });
const row = (id: number, v: number | null, name: string | null): Row => ({ id: BigInt(id), at: id, v, name });

describe.skipIf(python === undefined || extensions === undefined)(suite, () => {
  let world: LakeWorld;
  beforeAll(async () => {
    world = await openLakeWorld(python as string, extensions);
  }, 60_000);
  afterAll(() => world?.close());

  let tables = 0;
  /** A table of these rows; its name, what to ask of it by, and where it lies. */
  async function make(rows: readonly Row[], columns: readonly Field[] = COLUMNS) {
    const table = { warehouse: world.warehouse, table: `t${++tables}` };
    const file = await world.file(columns, rows);
    const told = await world.ask({ do: 'iceberg_create', ...table, file });
    return { table, told, at: at(told.location) };
  }
  const at = (path: string) => ({ kind: 'iceberg', location: { path } }) as const;
  const change = (table: object, what: string, more: object = {}) =>
    world.ask({ do: `iceberg_${what}`, ...table, ...more });
  const append = async (table: object, columns: readonly Field[], rows: readonly Row[]) =>
    change(table, 'append', { file: await world.file(columns, rows) });

  it('gives its data files as they are, and the same ones again beside new ones', async () => {
    const { table, told, at } = await make([row(1, 1, 'a'), row(2, 2, 'b')]);
    const before = await world.pin(at, COLUMNS);
    expect(before.snapshot.table).toEqual({ table: told.metadata, id: told.snapshot });
    expect(before.snapshot.files.map(({ path }) => path)).toEqual(told.files);
    const after = await append(table, COLUMNS, [row(3, 3, 'c')]);
    const now = await world.pin(at, COLUMNS);
    expect(now.snapshot.files.map(({ path }) => path)).toEqual([...after.files].sort());
    expect(now.snapshot.files).toEqual(expect.arrayContaining([...before.snapshot.files]));
    expect(await now.rows()).toEqual(['[1,1,1,"a"]', '[2,2,2,"b"]', '[3,3,3,"c"]']);
    expect(await before.rows()).toEqual(['[1,1,1,"a"]', '[2,2,2,"b"]']);
  });

  it('opens the files that hold event times that are wanted, whatever the column is called in them', async () => {
    const columns = fields({ happened: TYPES.timestamp, n: TYPES.int32 });
    const asThen = (rows: readonly Row[]) => rows.map(({ at, n }): Row => ({ happened: at ?? null, n: n ?? null }));
    const { table, at } = await make(asThen(DAYS.slice(0, 180)), columns);
    await append(table, columns, asThen(DAYS.slice(180)));
    await append(table, columns, asThen([WITHOUT_DAY]));
    await change(table, 'alter', { rename: [['happened', 'at']] });
    const range = { from: midnight('02-01'), to: midnight('02-03') };
    const week = await world.pin(at, DAY_COLUMNS, undefined, range);
    expect(week.snapshot).toMatchObject({
      skipped: 1,
      table: { events: { fromMicros: range.from, toMicros: range.to } },
    });
    expect(await week.rows()).toHaveLength(181);
    const all = await world.pin(at, DAY_COLUMNS);
    expect(all.snapshot.table).not.toHaveProperty('events');
    expect(all.snapshot.files).toEqual(expect.arrayContaining([...week.snapshot.files]));
    await change(table, 'alter', { rename: [['at', 'time']], add: [['at', 'TimestampType']] });
    // None of its files has that column: all rows are without a time.
    expect((await world.pin(at, DAY_COLUMNS, undefined, range)).snapshot.files).toHaveLength(3);
  });

  it('lands the rows of the event times that are wanted', { timeout: 60_000 }, async () => {
    const { table, at } = await make([...DAYS, WITHOUT_DAY, { at: midnight('02-02'), n: -2 }], DAY_COLUMNS);
    await change(table, 'delete_positions', { column: 'n', value: -2 });
    await expectDaysOfRanges(async (range) => {
      const { snapshot, rows } = await world.pin(at, DAY_COLUMNS, undefined, range);
      expect(snapshot.files[0]?.path).toContain('landed');
      return (await rows()).map((text) => ({ n: (JSON.parse(text) as number[])[1] ?? null }));
    });
  });

  it('reads columns by their ids: renamed, swapped, widened, added, dropped and made anew', {
    timeout: 60_000,
  }, async () => {
    const columns = fields({
      id: TYPES.int64,
      at: TYPES.timestamp,
      v: TYPES.int32,
      name: TYPES.string,
      a: TYPES.string,
      b: TYPES.string,
      cost: TYPES.float32,
    });
    const { table, at } = await make([{ ...row(1, 7, 'old'), a: 'was a', b: 'was b', cost: 0.5 }], columns);
    const before = await world.pin(at, [...COLUMNS.slice(0, 2), { name: 'a', type: TYPES.string }]);
    await change(table, 'alter', { rename: [['v', 'amount']], widen: [['cost', 'DoubleType']] });
    await change(table, 'alter', { widen: [['amount', 'LongType']], add: [['extra', 'LongType']] });
    await change(table, 'alter', { rename: [['a', 'x']] });
    await change(table, 'alter', { rename: [['b', 'a']] });
    await change(table, 'alter', { rename: [['x', 'b']], drop: ['name'], add: [['name', 'StringType']] });
    const now = fields({
      id: TYPES.int64,
      at: TYPES.timestamp,
      amount: TYPES.int64,
      name: TYPES.string,
      a: TYPES.string,
      b: TYPES.string,
      cost: TYPES.float64,
      extra: TYPES.int64,
    });
    // No snapshot was written since: the rows are as of then, the columns as of now.
    const first = '[1,1,7,null,"was b","was a",0.5,null]';
    expect(await (await world.pin(at, now)).rows()).toEqual([first]);
    // The same bytes mean something else, so an incremental run has to read them again.
    const after = await world.pin(at, [...COLUMNS.slice(0, 2), { name: 'a', type: TYPES.string }]);
    expect(await before.rows()).toEqual(['[1,1,"was a"]']);
    expect(await after.rows()).toEqual(['[1,1,"was b"]']);
    expect(after.snapshot.files[0]?.path).toBe(before.snapshot.files[0]?.path);
    expect(after.snapshot.files[0]?.etag).not.toBe(before.snapshot.files[0]?.etag);
    const added = { id: 2n, at: 2, amount: 2n ** 40n, name: 'new', a: 'a', b: 'b', cost: 0.1, extra: 5n };
    await append(table, now, [added]);
    const run = await world.pin(at, now);
    expect(await run.rows()).toEqual([first, `[2,2,${2 ** 40},"new","a","b",0.1,5]`]);
    // By the files themselves, each with the names that it has.
    expect(run.snapshot.files).toHaveLength(2);
    expect(run.snapshot.files[0]?.path).not.toContain('landed');
  });

  it('shows its columns, as they are now', async () => {
    const { table, at } = await make([row(1, 7, 'x')]);
    await change(table, 'alter', { rename: [['v', 'amount']], add: [['raw', 'BinaryType']] });
    const types = { id: 'BIGINT', at: 'TIMESTAMP', amount: 'INTEGER', name: 'VARCHAR', raw: 'BLOB' };
    expect(await world.describe(at)).toEqual(types);
    await expect(world.describe({ ...at, location: { path: '/nowhere' } })).rejects.toThrow(
      /^a look: there is no Iceberg/,
    );
  });

  it('widens a column without reading its files again', async () => {
    const { table, at } = await make([row(1, 7, 'x')]);
    await change(table, 'alter', { widen: [['v', 'LongType']] });
    const now = fields({ id: TYPES.int64, at: TYPES.timestamp, v: TYPES.int64, name: TYPES.string });
    await append(table, now, [{ id: 2n, at: 2, v: 2n ** 40n, name: 'y' }]);
    const run = await world.pin(at, now);
    expect(run.snapshot.files).toHaveLength(2);
    expect(await run.rows()).toEqual(['[1,1,7,"x"]', `[2,2,${2 ** 40},"y"]`]);
  });

  it('leaves out what is deleted, by rewritten files, by positions and by values', async () => {
    const { table, at } = await make([row(1, 1, 'a'), row(2, 2, 'b'), row(3, 3, 'c'), row(4, 4, null)]);
    await append(table, COLUMNS, [row(5, 1, 'a'), row(6, 6, 'f'), row(7, 7, 'g')]);
    await change(table, 'delete', { where: 'id = 7' });
    await change(table, 'delete_positions', { column: 'name', value: 'a' });
    const positions = await world.pin(at, COLUMNS);
    expect(await positions.rows()).toHaveLength((await change(table, 'read')).rows);
    expect(await positions.rows()).toEqual(['[2,2,2,"b"]', '[3,3,3,"c"]', '[4,4,4,null]', '[6,6,6,"f"]']);
    await change(table, 'delete_values', { column: 'v', value: 6 });
    await change(table, 'delete_values', { column: 'name', value: null });
    // A row that came after a delete is not meant by it.
    await append(table, COLUMNS, [row(8, 6, 'h')]);
    expect(await (await world.pin(at, COLUMNS)).rows()).toEqual(['[2,2,2,"b"]', '[3,3,3,"c"]', '[8,8,6,"h"]']);
  });

  it('refuses nulls of a column that rows are deleted by, which would be lost', async () => {
    const { table, at } = await make([row(1, 1, 'a'), row(2, null, 'b'), row(3, 3, null)]);
    await change(table, 'delete_values', { column: 'id', value: 1 });
    expect(await (await world.pin(at, COLUMNS)).rows()).toEqual(['[2,2,null,"b"]', '[3,3,3,null]']);
    await change(table, 'delete_values', { column: 'v', value: 3 });
    const refused = expect(world.pin(at, COLUMNS)).rejects;
    await refused.toMatchObject({ code: 'HR_SOURCE_UNREADABLE' });
    await expect(world.pin(at, COLUMNS)).rejects.toThrow(/has deletes by values of "v", and rows where that is null/);
    await change(table, 'alter', { rename: [['v', 'amount']] });
    await expect(world.pin(at, COLUMNS.slice(0, 2))).rejects.toThrow(/has deletes by values of "amount"/);
  });

  it('reads files that another program wrote, without ids', async () => {
    const { table, at } = await make([row(1, 1, 'a')]);
    const file = join(world.directory, 'foreign.parquet');
    await copyFile(await world.file(COLUMNS, [row(2, 2, 'b')]), file);
    await change(table, 'add_files', { file });
    expect(await (await world.pin(at, COLUMNS)).rows()).toEqual(['[1,1,1,"a"]', '[2,2,2,"b"]']);
  });

  it('reads partitions, and a table that nothing was written to', async () => {
    const table = { warehouse: world.warehouse, table: `t${++tables}` };
    const file = await world.file(COLUMNS, [row(1, 1, 'a/b=c d'), row(2, 2, null), row(3, 3, '')]);
    const told = await world.ask({ do: 'iceberg_create', ...table, file, partition: 'name' });
    const run = await world.pin(at(told.location), COLUMNS);
    expect(run.snapshot.files).toHaveLength(3);
    expect(await run.rows()).toEqual(['[1,1,1,"a/b=c d"]', '[2,2,2,null]', '[3,3,3,""]']);
    const { at: empty } = await make([]);
    const nothing = await world.pin(empty, COLUMNS);
    expect(nothing.snapshot.files).toEqual([]);
    expect(nothing.snapshot.table?.id).toBe('none');
    expect(await nothing.rows()).toEqual([]);
  });

  it('reads a table whose addresses are URLs of files', async () => {
    const table = { warehouse: `file://${world.directory}/lake of files`, table: `t${++tables}` };
    const file = await world.file(COLUMNS, [row(1, 1, 'a/b=c d%'), row(2, 2, 'b')]);
    const told = await world.ask({ do: 'iceberg_create', ...table, file, partition: 'name' });
    expect(told.location).toMatch(/^file:/);
    expect(await (await world.pin(at(told.location), COLUMNS)).rows()).toEqual(['[1,1,1,"a/b=c d%"]', '[2,2,2,"b"]']);
    const whole = { ...table, table: `t${++tables}` };
    const { location } = await world.ask({ do: 'iceberg_create', ...whole, file });
    await change(whole, 'delete_positions', { column: 'id', value: 2 });
    const landed = await world.pin(at(location), COLUMNS);
    expect(landed.snapshot.files[0]?.path).toContain('landed');
    expect(await landed.rows()).toEqual(['[1,1,1,"a/b=c d%"]']);
  });

  it('finds the newest metadata of a folder without a catalog', async () => {
    const { table, told, at } = await make([row(1, 1, 'a')]);
    const folder = join(told.location, 'metadata');
    const now = await append(table, COLUMNS, [row(2, 2, 'b')]);
    const files = (await readdir(folder)).filter((name) => name.endsWith('.metadata.json')).sort();
    const count = async () => (await (await world.pin(at, COLUMNS)).rows()).length;
    expect(await count()).toBe(2);
    expect((await (await world.pin({ ...at, location: { path: told.metadata } }, COLUMNS)).rows()).length).toBe(1);
    // Two of one number: a commit that lost a race leaves its file.
    const lost = join(folder, '00002-00000000-0000-0000-0000-000000000000.metadata.json');
    await copyFile(told.metadata, lost);
    await expect(count()).rejects.toMatchObject({ code: 'HR_SOURCE_UNREADABLE' });
    await expect(count()).rejects.toThrow(/two newest metadata files, 00002-.*its catalog knows/);
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

  describe('under a run', () => {
    it('is read as it was to the end, although it is rewritten and cleaned', async () => {
      const { table, told, at } = await make([row(1, 1, 'a'), row(2, 2, 'b')]);
      await append(table, COLUMNS, [row(3, 3, 'c')]);
      const run = await world.pin(at, COLUMNS);
      const before = await run.rows();
      await change(table, 'compact');
      await change(table, 'delete', { where: 'id = 1' });
      const { removed } = await change(table, 'expire');
      expect(removed).toEqual(expect.arrayContaining([...told.files]));
      expect(existsSync(told.files[0] as string)).toBe(false);
      expect(await run.rows()).toEqual(before);
      expect(await (await world.pin(at, COLUMNS)).rows()).toEqual(['[2,2,2,"b"]', '[3,3,3,"c"]']);
    });

    it('tells which file of it is gone', async () => {
      const { told, at } = await make([row(1, 1, 'a')]);
      const [path = ''] = told.files;
      await rm(path);
      const pinning = world.pin(at, COLUMNS);
      await expect(pinning).rejects.toMatchObject({ code: 'HR_SOURCE_CHANGED' });
      await expect(pinning).rejects.toThrow(
        `${path}, a file of snapshot ${told.snapshot} of ${told.metadata}, was removed`,
      );
    });

    it('tells which file of deletes is gone, and keeps nothing', async () => {
      const { table, at } = await make([row(1, 1, 'a'), row(2, 2, 'b')]);
      const { location } = await change(table, 'delete_positions', { column: 'id', value: 1 });
      const data = join(location, 'data');
      const deletes = (await readdir(data)).find((name) => name.startsWith('positions-')) as string;
      await rm(join(data, deletes));
      const kept = () => readdir(join(world.directory, 'landed', 'events')).catch(() => []);
      const before = await kept();
      await expect(world.pin(at, COLUMNS)).rejects.toMatchObject({ code: 'HR_SOURCE_CHANGED' });
      await expect(world.pin(at, COLUMNS)).rejects.toThrow(deletes);
      expect(await kept()).toEqual(before);
    });
  });

  // twin: test/integration/delta-source.test.ts > is told as dropped, cut short, or of other columns
  fullDescribe('is told as', () => {
    const refusal = async (at: Parameters<LakeWorld['pin']>[0], columns: readonly Field[] = COLUMNS) => {
      const error: unknown = await world.pin(at, columns).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      return error as { code: string; message: string };
    };

    it('dropped', async () => {
      const { table, told, at } = await make([row(1, 1, 'a')]);
      await change(table, 'drop');
      await rm(told.location, { recursive: true, force: true });
      const { code, message } = await refusal(at);
      expect(code).toBe('HR_SOURCE_UNREADABLE');
      expect(message).toContain(`there is no Iceberg table at ${told.location}`);
    });

    it('cut short: its metadata, its list of manifests, a data file', { timeout: 30_000 }, async () => {
      const cut = async (which: (told: WrittenTable) => Promise<string>) => {
        const { told, at } = await make([row(1, 1, 'a')]);
        const path = await which(told);
        await truncate(path, 40);
        const { code, message } = await refusal(at);
        return { path, code, message };
      };
      const metadata = await cut(async (told) => told.metadata);
      expect(metadata.message).toContain(`${metadata.path} is no metadata of an Iceberg table`);
      const list = await cut(async ({ location }) => {
        const names = await readdir(join(location, 'metadata'));
        return join(location, 'metadata', names.find((name) => name.startsWith('snap-')) as string);
      });
      const data = await cut(async ({ files }) => files[0] as string);
      expect([metadata.code, list.code, data.code]).toEqual(Array(3).fill('HR_SOURCE_UNREADABLE'));
      expect(data.message).toContain(data.path);
      const { at } = await make([row(1, 1, 'a')]);
      await mkdir(join(world.directory, 'other'), { recursive: true });
      await writeFile(join(world.directory, 'other', 'v1.metadata.json'), '{"name": "no table"}');
      const other = await refusal({ ...at, location: { path: join(world.directory, 'other', 'v1.metadata.json') } });
      expect(other.code).toBe('HR_SOURCE_UNREADABLE');
    });

    it('without a column, and with one of another type', async () => {
      const { table, at } = await make([row(1, 1, 'a')]);
      const lacks = await refusal(at, [...COLUMNS, { name: 'nme', type: TYPES.string }]);
      expect(lacks.code).toBe('HR_SOURCE_UNREADABLE');
      expect(lacks.message).toMatch(/has no column "nme"\. Did you mean "name"\?/);
      await change(table, 'alter', { drop: ['v'], add: [['v', 'BooleanType']] });
      const changed = await refusal(at);
      expect(changed.code).toBe('HR_SOURCE_UNREADABLE');
      expect(changed.message).toMatch(/column "v" is BOOLEAN in the files, and was declared int32/);
    });

    it('unreadable where DuckDB has no extension for it, with what to do', { timeout: 60_000 }, async () => {
      const { at } = await make([row(1, 1, 'a')]);
      const bare = await openLakeWorld(python as string, join(world.directory, 'no-extensions'));
      try {
        // Neither installed before nor to be fetched.
        await bare.connection.run("SET GLOBAL custom_extension_repository = 'http://127.0.0.1:1'");
        await bare.connection.run(`SET GLOBAL extension_directory = '${join(world.directory, 'installed')}'`);
        const pinning = bare.pin(at, COLUMNS);
        await expect(pinning).rejects.toMatchObject({ code: 'HR_UNSUPPORTED' });
        await expect(pinning).rejects.toThrow(
          /needs DuckDB's extension "avro".*offline\.extensions, or run INSTALL avro/,
        );
      } finally {
        await bare.close();
      }
    });
  });
});
