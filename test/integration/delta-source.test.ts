// Delta tables as sources: their columns as they change, deletes of every kind, and what becomes of a run over a table that is
// rewritten, vacuumed, damaged or dropped under it.

import { existsSync } from 'node:fs';
import { readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Field, Row } from '../../src/core/index.ts';
import { DAY_COLUMNS, DAYS, expectDaysOfRanges, midnight, WITHOUT_DAY } from '../support/days-of-a-year.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { type LakeWorld, openLakeWorld } from '../support/lake-world.ts';
import { findLakeWriter } from '../support/lake-writer.ts';
import { fields, TYPES } from '../support/offline-world.ts';

const suite = 'Delta tables as sources';
const python = findLakeWriter(suite);
const extensions = findExtensions(['delta'], suite);

const COLUMNS = fields({ id: TYPES.int64, at: TYPES.timestamp, v: TYPES.int32, name: TYPES.string });
const row = (id: number, v: number | null, name: string | null): Row => ({ id: BigInt(id), at: id, v, name });

describe.skipIf(python === undefined || extensions === undefined)(suite, () => {
  let world: LakeWorld;
  beforeAll(async () => {
    world = await openLakeWorld(python as string, extensions);
  }, 60_000);
  afterAll(() => world?.close());

  let tables = 0;
  async function make(rows: readonly Row[], more: object = {}, columns: readonly Field[] = COLUMNS) {
    const path = join(world.directory, 'lake', `t${++tables}`);
    const told = await world.ask({ do: 'delta_write', path, file: await world.file(columns, rows), ...more });
    return { path, told, at: { kind: 'delta', location: { path } } as const };
  }
  const change = (path: string, what: string, more: object = {}) => world.ask({ do: `delta_${what}`, path, ...more });
  const append = async (path: string, rows: readonly Row[], more: object = {}, columns: readonly Field[] = COLUMNS) =>
    change(path, 'write', { file: await world.file(columns, rows), ...more });

  it('gives its data files as they are, and the same ones again beside new ones', async () => {
    const { path, at } = await make([row(1, 1, 'a'), row(2, 2, 'b')]);
    const before = await world.pin(at, COLUMNS);
    expect(before.snapshot.table).toEqual({ table: path, id: '0' });
    const { files } = await append(path, [row(3, 3, 'c')]);
    const now = await world.pin(at, COLUMNS);
    expect(now.snapshot.table).toEqual({ table: path, id: '1' });
    expect(now.snapshot.files.map((file) => file.path)).toEqual([...files].sort());
    expect(now.snapshot.files).toEqual(expect.arrayContaining([...before.snapshot.files]));
    expect(await now.rows()).toEqual(['[1,1,1,"a"]', '[2,2,2,"b"]', '[3,3,3,"c"]']);
    expect(await before.rows()).toEqual(['[1,1,1,"a"]', '[2,2,2,"b"]']);
  });

  it('follows deletes, updates, merges, a compaction and a checkpoint', { timeout: 60_000 }, async () => {
    const { path, at } = await make([row(1, 1, 'a'), row(2, 2, 'b'), row(3, 3, 'c')]);
    const rows = async () => (await world.pin(at, COLUMNS)).rows();
    await change(path, 'delete', { where: 'id = 2' });
    expect(await rows()).toEqual(['[1,1,1,"a"]', '[3,3,3,"c"]']);
    await change(path, 'update', { where: 'id = 3', values: { v: '30' } });
    expect(await rows()).toEqual(['[1,1,1,"a"]', '[3,3,30,"c"]']);
    const file = await world.file(COLUMNS, [row(3, 31, 'C'), row(4, 4, 'd')]);
    await change(path, 'merge', { file, on: 's.id = t.id' });
    const merged = ['[1,1,1,"a"]', '[3,3,31,"C"]', '[4,4,4,"d"]'];
    expect(await rows()).toEqual(merged);
    await change(path, 'optimize');
    await change(path, 'checkpoint');
    // A checkpoint takes the place of the commits before it, which a cleaning of the log removes.
    const log = join(path, '_delta_log');
    for (const name of await readdir(log)) if (/^\d+\.json$/.test(name)) await rm(join(log, name));
    expect(await rows()).toEqual(merged);
    expect((await world.pin(at, COLUMNS)).snapshot.files).toHaveLength(1);
  });

  it('reads columns that are added, renamed, and of a wider type', { timeout: 60_000 }, async () => {
    const { path, at } = await make([row(1, 7, 'old')]);
    const wider = [...COLUMNS, { name: 'extra', type: TYPES.int64 }];
    await append(path, [{ ...row(2, 8, 'new'), extra: 5n }], { merge: true }, wider);
    expect(await (await world.pin(at, wider)).rows()).toEqual(['[1,1,7,"old",null]', '[2,2,8,"new",5]']);
    expect((await world.pin(at, COLUMNS)).snapshot.files).toHaveLength(2);
    await change(path, 'rename', { column: 'v', to: 'amount' });
    const renamed = fields({ id: TYPES.int64, at: TYPES.timestamp, amount: TYPES.int64, name: TYPES.string });
    expect(await (await world.pin(at, renamed)).rows()).toEqual(['[1,1,7,"old"]', '[2,2,8,"new"]']);
    await expect(world.pin(at, COLUMNS)).rejects.toThrow(/has no column "v"/);
  });

  it('shows its columns, as they are now', async () => {
    const { path, at } = await make([row(1, 7, 'x')], { partition: ['name'] });
    await change(path, 'rename', { column: 'v', to: 'amount' });
    const types = { id: 'BIGINT', at: 'TIMESTAMP', amount: 'INTEGER', name: 'VARCHAR' };
    expect(await world.describe(at)).toEqual(types);
  });

  it('reads partitions, whose values are in no file', async () => {
    const rows = [row(1, 1, 'a/b=c d'), row(2, 2, null), row(3, 3, 'é%20+#')];
    const { at } = await make(rows, { partition: ['name'] });
    expect(await (await world.pin(at, COLUMNS)).rows()).toEqual([
      '[1,1,1,"a/b=c d"]',
      '[2,2,2,null]',
      '[3,3,3,"é%20+#"]',
    ]);
  });

  it('opens the files that hold event times that are wanted', async () => {
    const { path, at } = await make(DAYS.slice(0, 180), {}, DAY_COLUMNS);
    await append(path, DAYS.slice(180), {}, DAY_COLUMNS);
    const range = { from: midnight('12-01'), to: midnight('12-03') };
    const { snapshot, rows } = await world.pin(at, DAY_COLUMNS, undefined, range);
    expect(snapshot).toMatchObject({ skipped: 1, table: { events: { fromMicros: range.from, toMicros: range.to } } });
    expect(await rows()).toHaveLength(185);
  });

  it('lands the rows of the event times that are wanted, of partitions too', { timeout: 60_000 }, async () => {
    const columns = [...DAY_COLUMNS, { name: 'half', type: TYPES.int32 }];
    const halves = [...DAYS, WITHOUT_DAY].map((day, i) => ({ ...day, half: i % 2 }));
    const { at } = await make(halves, { partition: ['half'] }, columns);
    await expectDaysOfRanges(async (range) => {
      const { snapshot, rows } = await world.pin(at, columns, undefined, range);
      expect(snapshot.files[0]?.path).toContain('landed');
      return (await rows()).map((text) => ({ n: (JSON.parse(text) as number[])[1] ?? null }));
    });
  });

  it('leaves out the rows that deletion vectors name', async () => {
    const configuration = { 'delta.enableDeletionVectors': 'true' };
    const { path, at } = await make([row(1, 1, 'a'), row(2, 2, 'b'), row(3, 3, 'a')], { configuration });
    await append(path, [row(4, 4, 'd'), row(5, 5, 'a')]);
    await change(path, 'delete_vectors', { column: 'name', value: 'a' });
    const run = await world.pin(at, COLUMNS);
    expect(await run.rows()).toEqual(['[2,2,2,"b"]', '[4,4,4,"d"]']);
    expect(run.snapshot.files[0]?.path).toContain(join('landed', 'events'));
  });

  describe('under a run', () => {
    it('is read as it was to the end, although it is rewritten and vacuumed', async () => {
      const { path, told, at } = await make([row(1, 1, 'a'), row(2, 2, 'b')]);
      await append(path, [row(3, 3, 'c')]);
      const run = await world.pin(at, COLUMNS);
      const before = await run.rows();
      await change(path, 'optimize');
      await change(path, 'delete', { where: 'id = 1' });
      await change(path, 'vacuum');
      expect(existsSync(told.files[0] as string)).toBe(false);
      expect(await run.rows()).toEqual(before);
      expect(await (await world.pin(at, COLUMNS)).rows()).toEqual(['[2,2,2,"b"]', '[3,3,3,"c"]']);
    });

    it('tells which file of it is gone, and keeps nothing', async () => {
      for (const more of [{}, { partition: ['name'] }]) {
        const { path, told, at } = await make([row(1, 1, 'a')], more);
        const [file = ''] = told.files;
        await rm(file);
        const pinning = world.pin(at, COLUMNS);
        await expect(pinning).rejects.toMatchObject({ code: 'HR_SOURCE_CHANGED' });
        await expect(pinning).rejects.toThrow(`${file}, a file of snapshot 0 of ${path}, was removed`);
      }
    });
  });

  it('is told as dropped, cut short, or of other columns', { timeout: 30_000 }, async () => {
    const told = async (path: string, columns: readonly Field[] = COLUMNS) => {
      const error: unknown = await world
        .pin({ kind: 'delta', location: { path } }, columns)
        .catch((one: unknown) => one);
      const { code, message } = error as { code: string; message: string };
      expect(code).toBe('HR_SOURCE_UNREADABLE');
      return message;
    };
    const dropped = await make([row(1, 1, 'a')]);
    await rm(dropped.path, { recursive: true });
    expect(await told(dropped.path)).toContain(`there is no Delta table at ${dropped.path}`);
    const cut = await make([row(1, 1, 'a')]);
    await truncate(join(cut.path, '_delta_log', `${'0'.repeat(20)}.json`), 500);
    expect(await told(cut.path)).toContain(`version 0 of ${cut.path} cannot be read`);
    const damaged = await make([row(1, 1, 'a')]);
    await truncate(damaged.told.files[0] as string, 40);
    expect(await told(damaged.path)).toContain(damaged.path);
    const other = await make([row(1, 1, 'a')]);
    expect(await told(other.path, [...COLUMNS, { name: 'nme', type: TYPES.string }])).toMatch(/Did you mean "name"\?/);
    const changed = COLUMNS.map((column) => (column.name === 'v' ? { ...column, type: TYPES.bool } : column));
    await append(other.path, [{ ...row(1, 1, 'a'), v: true }], { mode: 'overwrite' }, changed);
    expect(await told(other.path)).toMatch(/column "v" is BOOLEAN in the files, and was declared int32/);
  });
});
