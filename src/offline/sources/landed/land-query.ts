// The rows of a query, landed as one Parquet file: what a run reads of a source that has no files of its own. The file is
// named by its rows, whatever their order, so that the same rows are the same file, and one that is there is never changed.

import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { sha256Hex } from '../../../core/index.ts';
import type { SourceSpec } from '../../../definitions/index.ts';
import { quoteName, quoteText } from '../../../storage/index.ts';
import { pinFiles } from '../files/pin-files.ts';
import { markUsed, startUse } from '../last-use.ts';
import type { PinnedSnapshot } from '../pinned-snapshot.ts';
import type { SourceDeps } from '../source-deps.ts';
import { queryWork } from '../source-errors.ts';
import { tidyLanded } from './tidy-landed.ts';

/**
 * `sql` gives the source's declared columns, each in its declared type and by its name, on `connection`. Whole or not at
 * all: `check` gets the rows before anyone else, also where the same were landed before, and what it throws leaves no new
 * ones. Errors: HR_SOURCE_UNREADABLE, HR_STORAGE_FULL, and what a catalogue's error in the query says.
 */
export async function landQuery(
  connection: DuckDBConnection,
  source: SourceSpec,
  sql: string,
  deps: SourceDeps,
  check: (path: string, etag: string) => Promise<void> = async () => {},
): Promise<PinnedSnapshot> {
  const owner = `source "${source.name}"`;
  const folder = landedFolder(deps, source);
  await mkdir(folder, { recursive: true });
  const unfinished = join(folder, `unfinished-${randomUUID()}.parquet`);
  try {
    const etag = await queryWork(`${owner} cannot be read`, 'HR_SOURCE_UNREADABLE', async () => {
      await connection.run(`COPY (${sql}) TO ${quoteText(unfinished)} (FORMAT parquet, COMPRESSION zstd)`);
      return rowsHash(connection, unfinished);
    });
    await check(unfinished, etag);
    const path = join(folder, `${etag}.parquet`);
    if (!(await markUsed(path))) {
      await startUse(unfinished);
      await rename(unfinished, path);
    }
    const { size } = await stat(path);
    const pinned = await pinFiles([path], owner);
    await tidyLanded(folder, deps);
    return { ...pinned, files: [{ path, size, etag }], knownBy: 'etag' };
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** Where a source's landed rows are, and what is known of them. */
export const landedFolder = (
  { dataDirectory }: Pick<SourceDeps, 'dataDirectory'>,
  { name }: Pick<SourceSpec, 'name'>,
): string => join(dataDirectory, 'landed', name);

/**
 * A sum of each row’s hash: the same for the same rows in any order, another when a row comes twice. DuckDB's hash takes −0 for 0, so
 * of a row that holds a −0 its text is hashed too.
 */
export async function rowsHash(connection: DuckDBConnection, path: string): Promise<string> {
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM read_parquet(${quoteText(path)})`);
  const columns = described.getRows().map(([name, type]) => [String(name), String(type)] as const);
  const signed = columns.flatMap(([name, type]) => holdsMinusZero(quoteName(name), type) ?? []);
  const hash =
    signed.length === 0
      ? 'hash(landed)'
      : `CASE WHEN ${signed.join(' OR ')} THEN hash(landed, CAST(landed AS VARCHAR)) ELSE hash(landed) END`;
  const sum = `CAST(coalesce(sum(CAST(${hash} AS HUGEINT)), 0) AS VARCHAR)`;
  const read = await connection.runAndReadAll(
    `SELECT CAST(count(*) AS VARCHAR), ${sum} FROM read_parquet(${quoteText(path)}) AS landed`,
  );
  return sha256Hex(JSON.stringify([columns, read.getRows()[0]])).slice(0, 32);
}

/** SQL of whether a column of DuckDB's type may hold a −0; undefined for a type that has none. */
function holdsMinusZero(column: string, type: string): string | undefined {
  if (!/FLOAT|DOUBLE/.test(type)) return undefined;
  return type === 'FLOAT' || type === 'DOUBLE'
    ? `(${column} = 0 AND signbit(${column}))`
    : `contains(CAST(${column} AS VARCHAR), '-0.0')`;
}
