// Files of events and of outcomes that commands read: each row, with all its digits, or the line that is none.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readOutcomeFile } from '../../src/cli/logs/read-outcome-file.ts';
import { readEventFile } from '../../src/cli/read-event-file.ts';
import { type DuckDb, openDuckDb, quoteText } from '../../src/storage/index.ts';
import { fields, sourceOf, TYPES } from '../support/offline-world.ts';

let directory: string;
let duckdb: DuckDb;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headrace-event-files-'));
  duckdb = await openDuckDb({ tempDirectory: join(directory, 'spill'), threads: 1 });
});
afterAll(async () => {
  await duckdb.close();
  rmSync(directory, { recursive: true, force: true });
});

const open = async () => duckdb;
const source = sourceOf('s', 'x', fields({ id: TYPES.int64, x: TYPES.float64, raw: TYPES.bytes, at: TYPES.timestamp }));

function lines(...texts: readonly string[]): string {
  const path = join(directory, 'rows.JSONL');
  writeFileSync(path, texts.join('\n'));
  return path;
}

async function parquet(sql: string): Promise<string> {
  const path = join(directory, 'rows.parquet');
  const connection = await duckdb.connect();
  await connection.run(`COPY (${sql}) TO ${quoteText(path)} (FORMAT parquet)`);
  connection.closeSync();
  return path;
}

describe('a file of events', () => {
  it('is read line by line, without those that are empty, and a line that is no JSON is named', async () => {
    expect(await readEventFile(lines('{"id":9007199254740993}', '', ' ', '{"id":1}'), source, open)).toEqual([
      { id: 9_007_199_254_740_993n },
      { id: 1 },
    ]);
    await expect(readEventFile(lines('{}', '', '{'), source, open)).rejects.toThrow(/line 3: is not JSON/);
  });

  it('is read from Parquet as it would be pushed: the source’s columns alone, every digit, NaN and infinities by name', async () => {
    const path = await parquet(`SELECT * FROM (VALUES
      (9007199254740993::BIGINT, 'nan'::DOUBLE, '\\x01'::BLOB, TIMESTAMP '2026-01-02 03:04:05.678901', 1),
      (2, 'inf'::DOUBLE, NULL, NULL, 2), (3, '-inf'::DOUBLE, NULL, NULL, 3), (4, NULL, NULL, NULL, 4), (5, 0.5, NULL, NULL, 5)
    ) AS rows(id, x, raw, "at", other)`);
    const rows = (await readEventFile(path, source, open)) as Readonly<Record<string, unknown>>[];
    expect(rows[0]).toEqual({ id: 9_007_199_254_740_993n, x: 'NaN', raw: 'AQ==', at: '2026-01-02 03:04:05.678901' });
    expect(rows.map(({ x }) => x)).toEqual(['NaN', 'Infinity', '-Infinity', null, 0.5]);
  });

  it('is refused where it has none of the source’s columns, is not there, or ends otherwise', async () => {
    await expect(readEventFile(await parquet('SELECT 1 AS other'), source, open)).rejects.toThrow(
      /none of the columns/,
    );
    for (const name of ['no.parquet', 'no.jsonl'])
      await expect(readEventFile(join(directory, name), source, open)).rejects.toThrow(/there is no file/);
    await expect(readEventFile('rows.csv', source, open)).rejects.toMatchObject({ code: 'HR_USAGE' });
  });
});

describe('a file of outcomes', () => {
  const mistakesOf = async (...rows: readonly string[]): Promise<unknown> =>
    readOutcomeFile(lines(...rows), open).then(
      () => [],
      ({ details }: { details: readonly { path: string; message: string }[] }) => details.map(({ path }) => path),
    );

  it('has a value in each row, whatever else of the members', async () => {
    for (const good of ['7', '0.5', 'true', '"yes"', 'null', '9007199254740991'])
      expect(await mistakesOf(`{"prediction_id":"p","value":${good}}`), good).toEqual([]);
    for (const bad of ['{}', '[]', '9007199254740992', '1e400'])
      expect(await mistakesOf('{"value":1}', `{"value":${bad}}`), bad).toEqual(['outcomes[1].value']);
    expect(await mistakesOf('{"prediction_id":"p"}')).toEqual(['outcomes[0].value']);
  });

  it('has times and units that are some, and no other members', async () => {
    for (const unit of ['"u"', '7', 'true', '["u",7]'])
      expect(await mistakesOf(`{"value":1,"unit":${unit}}`)).toEqual([]);
    for (const unit of ['null', '[]', '[null]', '{}'])
      expect(await mistakesOf(`{"value":1,"unit":${unit}}`), unit).toEqual(['outcomes[0].unit']);
    for (const name of ['prediction_id', 'observed_at', 'at', 'from', 'within'])
      expect(await mistakesOf(`{"value":1,"${name}":""}`)).toEqual([`outcomes[0].${name}`]);
    expect(await mistakesOf('{"value":1,"valeu":1}', '3', 'null')).toEqual([
      'outcomes[0].valeu',
      'outcomes[1]',
      'outcomes[2]',
    ]);
  });

  it('is refused where it has none of the members, is not there, or ends otherwise', async () => {
    await expect(readOutcomeFile(await parquet('SELECT 1 AS other'), open)).rejects.toThrow(
      /none of the columns value/,
    );
    await expect(readOutcomeFile(join(directory, 'no.parquet'), open)).rejects.toThrow(/cannot be read/);
    await expect(readOutcomeFile('outcomes.csv', open)).rejects.toMatchObject({ code: 'HR_USAGE' });
  });

  it('is read from Parquet in its own order, a null as a member that is left out, but for the value', async () => {
    const path = await parquet(`SELECT * FROM (VALUES
      ('p', NULL, TIMESTAMPTZ '2026-01-02 03:04:05.5+01', 1), (NULL, 2, NULL, 2)) AS rows(prediction_id, value, observed_at, other)`);
    expect(await readOutcomeFile(path, open)).toEqual([
      { prediction_id: 'p', value: null, observed_at: '2026-01-02T02:04:05.500000Z' },
      { value: 2 },
    ]);
  });
});
