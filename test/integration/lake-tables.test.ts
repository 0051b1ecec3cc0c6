// Tables of Iceberg and Delta alike: a run reads one snapshot of them to its end, and a training set's snapshot is read again,
// for as long as its files are there. What vanishes leaves nothing.

import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Row } from '../../src/core/index.ts';
import { auditTrainingSet, listTrainingSets } from '../../src/offline/index.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { LAKE_COLUMNS, type LakeTable, type LakeWorld, lakeRow as row, openLakeWorld } from '../support/lake-world.ts';
import { findLakeWriter } from '../support/lake-writer.ts';
import { fields, latest, oneView, sourceOf, TYPES, viewOf } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';

const suite = 'tables of a lake';
const python = findLakeWriter(suite);
const extensions = findExtensions(['avro', 'iceberg', 'delta'], suite);

/** When the rows of spines are. */
const AT = 1_000_000_000_000_000;

describe.skipIf(python === undefined || extensions === undefined).each(['iceberg', 'delta'] as const)(
  'a table of %s',
  (kind) => {
    let world: LakeWorld;
    beforeAll(async () => {
      world = await openLakeWorld(python as string, extensions);
    }, 60_000);
    afterAll(() => world?.close());

    const make = (rows: readonly Row[], more: object = {}) => world.table(kind, LAKE_COLUMNS, rows, { ...more });
    /** How it names its snapshot of that number. */
    const snapshot = ({ path, told }: LakeTable, number = 0, of = told) =>
      kind === 'iceberg' ? { table: of.metadata, id: of.snapshot } : { table: path, id: String(number) };
    const clean = ({ change }: LakeTable) => change(kind === 'iceberg' ? 'expire' : 'vacuum');

    it('gives its data files as they are, and the same ones again beside new ones', async () => {
      const table = await make([row(1, 1, 'a'), row(2, 2, 'b')]);
      const before = await table.pin();
      expect(before.snapshot.table).toEqual(snapshot(table));
      expect(before.snapshot.files.map(({ path }) => path)).toEqual(table.told.files);
      const after = await table.append([row(3, 3, 'c')]);
      const now = await table.pin();
      expect(now.snapshot.table).toEqual(snapshot(table, 1, after));
      expect(now.snapshot.files.map(({ path }) => path)).toEqual([...after.files].sort());
      expect(now.snapshot.files).toEqual(expect.arrayContaining([...before.snapshot.files]));
      expect(await now.rows()).toEqual(['[1,1,1,"a"]', '[2,2,2,"b"]', '[3,3,3,"c"]']);
      expect(await before.rows()).toEqual(['[1,1,1,"a"]', '[2,2,2,"b"]']);
    });

    it('is read as it was to the end of a run, although it is rewritten and cleaned', async () => {
      const table = await make([row(1, 1, 'a'), row(2, 2, 'b')]);
      await table.append([row(3, 3, 'c')]);
      const run = await table.pin();
      const before = await run.rows();
      await table.change(kind === 'iceberg' ? 'compact' : 'optimize');
      await table.change('delete', { where: 'id = 1' });
      await clean(table);
      expect(existsSync(table.told.files[0] as string)).toBe(false);
      expect(await run.rows()).toEqual(before);
      expect(await table.rows()).toEqual(['[2,2,2,"b"]', '[3,3,3,"c"]']);
    });

    it('tells which file of it is gone', async () => {
      const table = await make([row(1, 1, 'a')]);
      const [file = ''] = table.told.files;
      await rm(file);
      const { id, table: of } = snapshot(table);
      await refused(table.pin(), 'HR_SOURCE_CHANGED', `${file}, a file of snapshot ${id} of ${of}, was removed`);
    });

    /** A table of which a set is made. */
    async function open() {
      const rows = [row(1, 1, 'a'), row(2, 2, 'b'), row(2, 2, 'gone'), row(2 * AT, 3, 'later')];
      const table = await make(
        rows,
        kind === 'delta' ? { configuration: { 'delta.enableDeletionVectors': 'true' } } : {},
      );
      const view = viewOf('things', 'thing', 'events', ['id'], [latest('name', TYPES.string, 'name')]);
      const deps = world.depsOf(oneView(sourceOf('events', table.path, LAKE_COLUMNS, { kind }), view));
      const out = world.path(`${table.names.table}.parquet`);
      const spine = [1n, 2n].map((id): Row => ({ when: AT, id }));
      const columns = fields({ when: TYPES.timestamp, id: TYPES.int64 });
      const train = () => world.train(deps, [columns, spine], { out });
      const isClean = async (id: string) => (await auditTrainingSet(deps, id)).isClean;
      const moveOn = async () => {
        const file = await world.file(LAKE_COLUMNS, [row(3, 3, 'c')]);
        await (kind === 'iceberg'
          ? table.change('overwrite', { file })
          : table.change('write', { file, mode: 'overwrite' }));
      };
      return { table, deps, out, train, isClean, moveOn };
    }

    it('is named by a training set, and proves it after the table moved on', { timeout: 60_000 }, async () => {
      const { table, deps, train, isClean, moveOn } = await open();
      const { id, sources } = await train();
      expect(sources[0]?.table).toEqual({ ...snapshot(table), events: { fromMicros: null, toMicros: AT } });
      await moveOn();
      expect(await isClean(id)).toBe(true);
      await clean(table);
      await refused(auditTrainingSet(deps, id), 'HR_AUDIT_FAILED', `${table.told.files[0]}: the file is gone`);
    });

    it('is landed again at the recorded snapshot where its rows are gone from this machine', {
      timeout: 60_000,
    }, async () => {
      const { table, deps, train, isClean, moveOn } = await open();
      const forget = () => rm(join(world.directory, 'landed'), { recursive: true, force: true });
      const deleting = kind === 'iceberg' ? 'delete_positions' : 'delete_vectors';
      await table.change(deleting, { column: 'name', value: 'gone' });
      const { id, sources } = await train();
      expect(sources[0]?.files[0]?.path).toContain('landed');
      // Without what was deleted, and what happened after all times of the spine.
      expect(sources[0]?.rows).toBe(2);
      await moveOn();
      expect(await isClean(id)).toBe(true);
      await forget();
      expect(await isClean(id)).toBe(true);
      await clean(table);
      // The landed rows are still those that the set was made from.
      expect(await isClean(id)).toBe(true);
      await forget();
      await refused(auditTrainingSet(deps, id), 'HR_SOURCE_UNREADABLE');
    });

    it('makes no set, and leaves nothing, where a file vanished', { timeout: 60_000 }, async () => {
      const { table, deps, train, out } = await open();
      const before = await listTrainingSets(deps);
      await rm(table.told.files[0] as string);
      await refused(train(), 'HR_SOURCE_CHANGED');
      expect(existsSync(out)).toBe(false);
      expect(await listTrainingSets(deps)).toHaveLength(before.length);
    });
  },
);
