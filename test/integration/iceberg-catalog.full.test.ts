// Iceberg tables by their name in a real REST catalog: pyiceberg and DuckDB write to it, each in its way.
// twin: test/integration/iceberg-source.test.ts > finds the newest metadata of a folder without a catalog

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Row } from '../../src/core/index.ts';
import { inspectPlace, inspectTables, sourceInVariable } from '../../src/offline/index.ts';
import { openDuckDb } from '../../src/storage/index.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { findIcebergCatalog, type IcebergCatalog, startIcebergCatalog } from '../support/iceberg-catalog.ts';
import { type LakeWorld, openLakeWorld } from '../support/lake-world.ts';
import { findLakeWriter } from '../support/lake-writer.ts';
import { fields, TYPES } from '../support/offline-world.ts';

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

  let tables = 0;
  async function make(rows: readonly Row[]) {
    const table = `t${++tables}`;
    const warehouse = join(catalog.folder, 'warehouse');
    const file = await world.file(COLUMNS, rows);
    const told = await world.ask({ do: 'iceberg_create', warehouse, table, file, rest: rest() });
    return { table, warehouse, told };
  }
  const refusal = async (table: string, url: string | undefined) => {
    const error: unknown = await world.pin(at(table), COLUMNS, reads(url)).catch((one: unknown) => one);
    return error as { code: string; message: string; cause?: unknown };
  };

  it('are read at the snapshot that the catalog names', { timeout: 60_000 }, async () => {
    const { table, warehouse } = await make([row(1, 'a')]);
    const file = await world.file(COLUMNS, [row(2, 'b')]);
    const told = await world.ask({ do: 'iceberg_append', warehouse, table, file });
    const url = urlOf(catalog.client, catalog.secret);
    const run = await world.pin(at(`lake.${table}`), COLUMNS, reads(`${url}/?warehouse=lake`));
    expect(run.snapshot.table).toEqual({ table: told.metadata, id: told.snapshot });
    expect(await run.rows()).toEqual(['[1,1,"a"]', '[2,2,"b"]']);
    const token = await world.pin(
      at(`lake.${table}`),
      COLUMNS,
      reads(urlOf('', `client-credentials-token:sub=${catalog.client}`)),
    );
    expect(await token.rows()).toHaveLength(2);
  });

  it('are looked into by the variable that holds the catalog', { timeout: 60_000 }, async () => {
    const { table } = await make([row(1, 'a')]);
    const deps = { ...world.deps, remote: reads(urlOf(catalog.client, catalog.secret)) };
    const place = sourceInVariable('env:LAKE', { table: `lake.${table}` }, deps);
    expect(place).toEqual(at(`lake.${table}`));
    const { columns } = await inspectPlace(place, world.directory, deps);
    expect(columns.map(({ name, suggested }) => ({ name, type: suggested }))).toEqual(COLUMNS);
    await expect(inspectTables('env:LAKE', deps)).rejects.toMatchObject({ code: 'HR_USAGE' });
    expect(() => sourceInVariable('env:LAKE', { query: 'SELECT 1' }, deps)).toThrow(
      /name one of its tables with --table/,
    );
  });

  it('are read without the rows that DuckDB deleted, by positions and by deletion vectors', {
    timeout: 90_000,
  }, async () => {
    const duckdb = await openDuckDb({
      tempDirectory: join(world.directory, 'writer'),
      ...(extensions !== undefined && { extensions }),
    });
    try {
      for (const name of ['httpfs', 'avro', 'iceberg']) expect(await duckdb.extension(name)).toBeUndefined();
      const connection = await duckdb.connect();
      const { client, secret, url } = catalog;
      await connection.run(
        `ATTACH '' AS lake (TYPE iceberg, ENDPOINT '${url}', TOKEN 'client-credentials-token:sub=${client}')`,
      );
      for (const version of [2, 3]) {
        const { table } = await make([row(0, 'not of this table')]);
        const name = `${table}_v${version}`;
        await connection.run(
          `CREATE TABLE lake.lake.${name} (id BIGINT, "at" TIMESTAMP, name VARCHAR) WITH ('format-version' = ${version})`,
        );
        await connection.run(
          `INSERT INTO lake.lake.${name} SELECT i, make_timestamp(i), 'n' || i FROM range(1, 6) AS r(i)`,
        );
        await connection.run(`DELETE FROM lake.lake.${name} WHERE id IN (2, 4)`);
        const run = await world.pin(at(`lake.${name}`), COLUMNS, reads(urlOf(client, secret)));
        expect(run.snapshot.files[0]?.path).toContain('landed');
        expect(await run.rows()).toEqual(['[1,1,"n1"]', '[3,3,"n3"]', '[5,5,"n5"]']);
      }
      connection.closeSync();
    } finally {
      await duckdb.close();
    }
  });

  it('are told as missing, in words of the catalog', { timeout: 30_000 }, async () => {
    const good = urlOf(catalog.client, catalog.secret);
    const missing = await refusal('lake.no_such_table', good);
    expect(missing.code).toBe('HR_SOURCE_UNREADABLE');
    expect(missing.message).toContain('the catalog that LAKE names has no table "lake.no_such_table"');
    expect(await refusal('no.such.space', good)).toMatchObject({ code: 'HR_SOURCE_UNREADABLE' });
    const { table, warehouse } = await make([row(1, 'a')]);
    await world.ask({ do: 'iceberg_drop', warehouse, table });
    expect(await refusal(`lake.${table}`, good)).toMatchObject({ code: 'HR_SOURCE_UNREADABLE' });
  });

  it('need credentials that are told of, never shown', { timeout: 30_000 }, async () => {
    const { table } = await make([row(1, 'a')]);
    for (const url of [urlOf(catalog.client, 'not-the-secret'), urlOf('', 'not-the-secret'), catalog.url]) {
      const error = await refusal(`lake.${table}`, url);
      expect(error).toMatchObject({ code: 'HR_CONFIG' });
      expect(error.message).toContain('refuses the credentials that LAKE holds');
      expect(error.message).not.toContain('not-the-secret');
    }
    expect(await refusal(`lake.${table}`, undefined)).toMatchObject({ code: 'HR_CONFIG' });
    for (const url of ['not-the-secret', 'ftp://me:not-the-secret@host', 'http://me:not-the-secret%zz@host']) {
      const error = await refusal(`lake.${table}`, url);
      expect(error).toMatchObject({ code: 'HR_CONFIG' });
      expect(error.message).toContain("must hold the catalog's URL");
      expect(JSON.stringify([error.message, String(error.cause)])).not.toContain('not-the-secret');
    }
  });

  it('are told as out of reach when the catalog does not answer', { timeout: 60_000 }, async () => {
    const gone = await refusal('lake.t', 'http://me:not-the-secret@127.0.0.1:1');
    expect(gone.code).toBe('HR_STORAGE_UNAVAILABLE');
    expect(gone.message).toContain('the catalog that LAKE names does not answer');
    expect(gone.message).not.toContain('not-the-secret');
  });
});
