// Iceberg tables by their name in a real REST catalog: pyiceberg and DuckDB write to it, each in its way.
// twin: test/integration/iceberg-source.test.ts > finds the newest metadata of a folder without a catalog

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Row } from '../../src/core/index.ts';
import { inspectPlace, inspectTables, sourceInVariable } from '../../src/offline/index.ts';
import { openDuckDb } from '../../src/storage/index.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { findIcebergCatalog, type IcebergCatalog, startIcebergCatalog } from '../support/iceberg-catalog.ts';
import { type LakeWorld, openLakeWorld } from '../support/lake-world.ts';
import { findLakeWriter } from '../support/lake-writer.ts';
import { fields, TYPES } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';

const suite = 'Iceberg tables of a catalog';
const python = findLakeWriter(suite);
const extensions = findExtensions(['httpfs', 'avro', 'iceberg'], suite);
const canRun = python !== undefined && extensions !== undefined && findIcebergCatalog(suite);

const COLUMNS = fields({ id: TYPES.int64, at: TYPES.timestamp, name: TYPES.string });
const row = (id: number, name: string): Row => ({ id: BigInt(id), at: id, name });

describe.skipIf(!canRun)(suite, () => {
  let world: LakeWorld;
  let catalog: IcebergCatalog;
  beforeAll(async () => {
    world = await openLakeWorld(python as string, extensions);
    catalog = await startIcebergCatalog();
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await catalog?.stop();
  });

  const urlOf = (user: string, secret: string): string =>
    catalog.url.replace('://', `://${encodeURIComponent(user)}:${encodeURIComponent(secret)}@`);
  const reads = (url: string | undefined) => ({ variable: (name: string) => (name === 'LAKE' ? url : undefined) });
  const at = (table: string) => ({ kind: 'iceberg', location: { catalog: 'env:LAKE', table } }) as const;
  const rest = () => ({ uri: catalog.url, credential: `${catalog.client}:${catalog.secret}` });

  async function make(rows: readonly Row[]) {
    const warehouse = join(catalog.folder, 'warehouse');
    const made = await world.table('iceberg', COLUMNS, rows, { warehouse, rest: rest() });
    return { ...made, name: `lake.${made.names.table}` };
  }
  const read = (table: string, url: string | undefined) => world.pin(at(table), COLUMNS, reads(url));
  const good = () => urlOf(catalog.client, catalog.secret);

  it('are read at the snapshot that the catalog names', { timeout: 60_000 }, async () => {
    const { name, append } = await make([row(1, 'a')]);
    const told = await append([row(2, 'b')]);
    const run = await read(name, `${good()}/?warehouse=lake`);
    expect(run.snapshot.table).toEqual({ table: told.metadata, id: told.snapshot });
    expect(await run.rows()).toEqual(['[1,1,"a"]', '[2,2,"b"]']);
    const token = await read(name, urlOf('', `client-credentials-token:sub=${catalog.client}`));
    expect(await token.rows()).toHaveLength(2);
  });

  it('are looked into by the variable that holds the catalog', { timeout: 60_000 }, async () => {
    const { name } = await make([row(1, 'a')]);
    const deps = { ...world.deps, remote: reads(good()) };
    const place = sourceInVariable('env:LAKE', { table: name }, deps);
    expect(place).toEqual(at(name));
    const { columns } = await inspectPlace(place, world.directory, deps);
    expect(columns.map(({ name, suggested }) => ({ name, type: suggested }))).toEqual(COLUMNS);
    await refused(inspectTables('env:LAKE', deps), 'HR_USAGE');
    const asked = () => sourceInVariable('env:LAKE', { query: 'SELECT 1' }, deps);
    expect(asked).toThrow(/name one of its tables with --table/);
  });

  it('are read without the rows that DuckDB deleted, by positions and by deletion vectors', {
    timeout: 90_000,
  }, async () => {
    const tempDirectory = join(world.directory, 'writer');
    const duckdb = await openDuckDb({ tempDirectory, ...(extensions !== undefined && { extensions }) });
    onTestFinished(() => duckdb.close());
    for (const name of ['httpfs', 'avro', 'iceberg']) expect(await duckdb.extension(name)).toBeUndefined();
    const connection = await duckdb.connect();
    const token = `client-credentials-token:sub=${catalog.client}`;
    await connection.run(`ATTACH '' AS lake (TYPE iceberg, ENDPOINT '${catalog.url}', TOKEN '${token}')`);
    for (const version of [2, 3]) {
      const { names } = await make([row(0, 'not of this table')]);
      const name = `lake.${names.table}_v${version}`;
      for (const sql of [
        `CREATE TABLE lake.${name} (id BIGINT, "at" TIMESTAMP, name VARCHAR) WITH ('format-version' = ${version})`,
        `INSERT INTO lake.${name} SELECT i, make_timestamp(i), 'n' || i FROM range(1, 6) AS r(i)`,
        `DELETE FROM lake.${name} WHERE id IN (2, 4)`,
      ])
        await connection.run(sql);
      const run = await read(name, good());
      expect(run.snapshot.files[0]?.path).toContain('landed');
      expect(await run.rows()).toEqual(['[1,1,"n1"]', '[3,3,"n3"]', '[5,5,"n5"]']);
    }
    connection.closeSync();
  });

  it('are told as missing, in words of the catalog', { timeout: 30_000 }, async () => {
    const missing = 'the catalog that LAKE names has no table "lake.no_such_table"';
    await refused(read('lake.no_such_table', good()), 'HR_SOURCE_UNREADABLE', missing);
    await refused(read('no.such.space', good()), 'HR_SOURCE_UNREADABLE');
    const { name, change } = await make([row(1, 'a')]);
    await change('drop');
    await refused(read(name, good()), 'HR_SOURCE_UNREADABLE');
  });

  it('need credentials that are told of, never shown', { timeout: 30_000 }, async () => {
    const { name } = await make([row(1, 'a')]);
    const hidden = async (url: string | undefined, told: string) => {
      const { message, cause } = await refused(read(name, url), 'HR_CONFIG', told);
      expect(JSON.stringify([message, String(cause)])).not.toContain('not-the-secret');
    };
    for (const url of [urlOf(catalog.client, 'not-the-secret'), urlOf('', 'not-the-secret'), catalog.url])
      await hidden(url, 'refuses the credentials that LAKE holds');
    await hidden(undefined, '');
    for (const url of ['not-the-secret', 'ftp://me:not-the-secret@host', 'http://me:not-the-secret%zz@host'])
      await hidden(url, "must hold the catalog's URL");
  });

  it('are told as out of reach when the catalog does not answer', { timeout: 60_000 }, async () => {
    const reading = read('lake.t', 'http://me:not-the-secret@127.0.0.1:1');
    const gone = await refused(reading, 'HR_STORAGE_UNAVAILABLE', 'the catalog that LAKE names does not answer');
    expect(gone.message).not.toContain('not-the-secret');
  });
});
