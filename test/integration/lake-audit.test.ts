// Training sets of tables that have moved on since: the snapshot that was recorded is read again, for as long as its files
// are there. One whose files vanish before it is made leaves nothing.

import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Row } from '../../src/core/index.ts';
import { auditTrainingSet, createTrainingSet, listTrainingSets, type OfflineDeps } from '../../src/offline/index.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { type LakeWorld, openLakeWorld } from '../support/lake-world.ts';
import { findLakeWriter } from '../support/lake-writer.ts';
import { definitionsOf, fields, oneView, sourceOf, TYPES, viewOf, writeParquet } from '../support/offline-world.ts';

const suite = 'training sets of tables of a lake';
const python = findLakeWriter(suite);
const extensions = findExtensions(['avro', 'iceberg', 'delta'], suite);

const COLUMNS = fields({ id: TYPES.int64, at: TYPES.timestamp, name: TYPES.string });
/** When the sets' rows are. */
const AT = 1_000_000_000_000_000;
const row = (id: number, name: string): Row => ({ id: BigInt(id), at: id, name });

describe.skipIf(python === undefined || extensions === undefined).each(['iceberg', 'delta'] as const)(
  'of %s',
  (kind) => {
    let world: LakeWorld;
    beforeAll(async () => {
      world = await openLakeWorld(python as string, extensions);
    }, 60_000);
    afterAll(() => world?.close());

    let tables = 0;
    async function open() {
      const table = `t${++tables}`;
      const path = join(world.warehouse, 'lake', table);
      const of = kind === 'iceberg' ? { warehouse: world.warehouse, table } : { path };
      const change = (what: string, more: object = {}) => world.ask({ do: `${kind}_${what}`, ...of, ...more });
      const file = await world.file(COLUMNS, [row(1, 'a'), row(2, 'b'), row(2, 'gone'), row(2 * AT, 'later')]);
      const configuration = { 'delta.enableDeletionVectors': 'true' };
      const told = await (kind === 'iceberg' ? change('create', { file }) : change('write', { file, configuration }));
      const deps: OfflineDeps = {
        ...world.deps,
        definitions: definitionsOf(
          oneView(
            sourceOf('events', path, COLUMNS, { kind }),
            viewOf(
              'things',
              'thing',
              'events',
              ['id'],
              [{ name: 'name', type: TYPES.string, aggregation: { op: 'latest', column: 'name' } }],
            ),
          ),
          world.directory,
        ),
      };
      const spine = join(world.directory, `spine-${table}.parquet`);
      await writeParquet(world.connection, spine, fields({ when: TYPES.timestamp, id: TYPES.int64 }), [
        { when: AT, id: 1n },
        { when: AT, id: 2n },
      ]);
      const out = join(world.directory, `${table}.parquet`);
      const make = () =>
        createTrainingSet(deps, { service: 's', spine, timestamp: 'when', labels: [], boundary: 'at', out });
      return { change, told, deps, make, out, path };
    }
    const moveOn = async (change: (what: string, more?: object) => Promise<unknown>) => {
      const file = await world.file(COLUMNS, [row(3, 'c')]);
      await (kind === 'iceberg' ? change('overwrite', { file }) : change('write', { file, mode: 'overwrite' }));
    };
    const clean = async (change: (what: string) => Promise<unknown>) =>
      change(kind === 'iceberg' ? 'expire' : 'vacuum');
    const forget = () => rm(join(world.directory, 'landed'), { recursive: true, force: true });

    it('names the table and its snapshot, and is proved after the table moved on', { timeout: 60_000 }, async () => {
      const { change, told, deps, make, path } = await open();
      const set = await make();
      const [source] = set.sources;
      const [table, id] = kind === 'iceberg' ? [told.metadata, told.snapshot] : [path, '0'];
      expect(source?.table).toEqual({ table, id, events: { fromMicros: null, toMicros: AT } });
      await moveOn(change);
      expect((await auditTrainingSet(deps, set.id)).isClean).toBe(true);
      await clean(change);
      const audit = auditTrainingSet(deps, set.id);
      await expect(audit).rejects.toMatchObject({ code: 'HR_AUDIT_FAILED' });
      await expect(audit).rejects.toThrow(`${told.files[0]}: the file is gone`);
    });

    it('lands the recorded snapshot again where its rows are gone from this machine', { timeout: 60_000 }, async () => {
      const { change, deps, make } = await open();
      const deleting = kind === 'iceberg' ? 'delete_positions' : 'delete_vectors';
      await change(deleting, { column: 'name', value: 'gone' });
      const set = await make();
      expect(set.sources[0]?.files[0]?.path).toContain('landed');
      // Without what was deleted, and what happened after all times of the spine.
      expect(set.sources[0]?.rows).toBe(2);
      await moveOn(change);
      expect((await auditTrainingSet(deps, set.id)).isClean).toBe(true);
      await forget();
      expect((await auditTrainingSet(deps, set.id)).isClean).toBe(true);
      await clean(change);
      // The landed rows are still those that the set was made from.
      expect((await auditTrainingSet(deps, set.id)).isClean).toBe(true);
      await forget();
      await expect(auditTrainingSet(deps, set.id)).rejects.toMatchObject({ code: 'HR_SOURCE_UNREADABLE' });
    });

    it('is not made, and leaves nothing, where a file vanished', { timeout: 60_000 }, async () => {
      const { told, deps, make, out } = await open();
      const before = await listTrainingSets(deps);
      await rm(told.files[0] as string);
      await expect(make()).rejects.toMatchObject({ code: 'HR_SOURCE_CHANGED' });
      expect(existsSync(out)).toBe(false);
      expect(await listTrainingSets(deps)).toHaveLength(before.length);
    });
  },
);
