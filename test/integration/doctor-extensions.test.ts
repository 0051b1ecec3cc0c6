// What `headrace doctor` says of DuckDB's extensions: those that load, and those that are there and don't.

import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lookAtExtensions } from '../../src/app/look-at-extensions.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { type DuckDb, openDuckDb } from '../../src/storage/index.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { folderOfFile } from '../support/new-folder.ts';

const found = findExtensions(['httpfs'], 'doctor on extensions');
const NAMES = ['avro', 'delta', 'httpfs', 'iceberg'];

const source = (name: string, kind: SourceSpec['kind'], location: SourceSpec['location']): SourceSpec => ({
  name,
  kind,
  location,
  columns: [],
  derive: [],
  eventTime: 'at',
  knownTime: { kind: 'column', column: 'at' },
  pushes: 'keep',
});
const onDisk = source('disk', 'parquet', { path: 'data/*.parquet' });
const inS3 = source('events', 'parquet', { path: 's3://lake/events.parquet' });
const lake = source('orders', 'iceberg', { path: 's3://lake/orders' });
const delta = source('items', 'delta', { path: 'lake/items' });

describe('doctor on DuckDB’s extensions', () => {
  const folder = folderOfFile();
  const opened: DuckDb[] = [];
  /** Of a folder in which none of them can be loaded but those. */
  const open = async (...whole: readonly string[]): Promise<DuckDb> => {
    for (const name of NAMES) {
      const file = `${name}.duckdb_extension`;
      if (whole.includes(name)) copyFileSync(join(found ?? '', file), join(folder, file));
      else writeFileSync(join(folder, file), 'none');
    }
    const duckdb = await openDuckDb({ tempDirectory: join(folder, 'spill'), extensions: folder });
    opened.push(duckdb);
    return duckdb;
  };
  let broken: DuckDb;
  beforeAll(async () => {
    broken = await open();
  });
  afterAll(async () => {
    for (const one of opened) await one.close();
  });
  const look = async (duckdb: DuckDb, ...sources: readonly SourceSpec[]) => {
    const found = await lookAtExtensions(duckdb, {
      sources: Object.fromEntries(sources.map((one) => [one.name, one])),
    });
    return Object.fromEntries(found.map(({ check, ...finding }) => [check, finding]));
  };

  it('minds none where no source needs one, and still says what is there', async () => {
    const findings = await look(broken, onDisk);
    expect(Object.keys(findings).toSorted()).toEqual(NAMES.map((name) => `duckdb ${name}`));
    const says = expect.stringMatching(/^is not on this machine; no source needs it/);
    for (const finding of Object.values(findings)) expect(finding).toEqual({ state: 'ok', says });
  });

  it('says what is done without one, and what cannot be', async () => {
    const findings = await look(broken, onDisk, inS3, delta);
    expect(findings['duckdb httpfs']).toMatchObject({
      state: 'warn',
      says: expect.stringMatching(/^does not load \(.+\): of events objects are copied through the AWS SDK first/),
      fix: expect.stringContaining('offline.extensions'),
    });
    const expected = { state: 'fail', says: expect.stringMatching(/Delta tables cannot be read \(items\)$/) };
    expect(findings['duckdb delta']).toMatchObject(expected);
    expect(findings['duckdb iceberg']).toMatchObject({ state: 'ok' });
    // A table in S3 is read by no copy.
    expect((await look(broken, inS3, lake))['duckdb httpfs']).toMatchObject({
      state: 'fail',
      says: expect.stringMatching(/of events objects are copied .*; tables of a lake in S3 cannot be read \(orders\)$/),
    });
  });

  it.skipIf(found === undefined)('says which loads', async () => {
    const findings = await look(await open('httpfs'), inS3);
    expect(findings['duckdb httpfs']).toEqual({ state: 'ok', says: 'loads: it reads Parquet and CSV in S3, in place' });
    expect(findings['duckdb delta']).toMatchObject({ says: expect.stringMatching(/^is not on this machine/) });
  });
});
