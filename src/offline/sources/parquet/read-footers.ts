// Reads the footers of Parquet files, many at a time: their types, and between which times their rows lie.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type DuckDb, quoteText } from '../../../storage/index.ts';
import { queryWork } from '../source-errors.ts';
import type { Footer, FooterRange } from './footer.ts';

export interface ParquetFile {
  /** As messages name it. */
  readonly name: string;
  /** Where it is read. */
  readonly path: string;
}

/** Files of one query, and queries at once: over a network each file is a wait or two. */
const FILES_AT_ONCE = 16;
const QUERIES_AT_ONCE = 8;
/** Writers may round what they tell: to milliseconds, say. */
export const SLACK_MICROS = 1000;

/** In the files' order. Throws HR_SOURCE_UNREADABLE naming the file that can't be read. */
export async function readFooters(
  duckdb: DuckDb,
  owner: string,
  files: readonly ParquetFile[],
): Promise<readonly Footer[]> {
  const batches: { readonly start: number; readonly files: readonly ParquetFile[] }[] = [];
  for (let start = 0; start < files.length; start += FILES_AT_ONCE) {
    batches.push({ start, files: files.slice(start, start + FILES_AT_ONCE) });
  }
  const footers: Footer[] = [];
  // A table's files are of few shapes, and nearly always of one.
  const typesByShape = new Map<string, Promise<Footer['types']>>();
  const work = async (): Promise<void> => {
    const connection = await duckdb.connect();
    try {
      for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
        const read = await readBatch(connection, owner, batch.files, typesByShape);
        for (const [i, footer] of read.entries()) footers[batch.start + i] = footer;
      }
    } catch (error) {
      batches.length = 0;
      throw error;
    } finally {
      connection.closeSync();
    }
  };
  await Promise.all(Array.from({ length: Math.min(QUERIES_AT_ONCE, batches.length) }, work));
  return footers;
}

async function readBatch(
  connection: DuckDBConnection,
  owner: string,
  files: readonly ParquetFile[],
  typesByShape: Map<string, Promise<Footer['types']>>,
): Promise<Footer[]> {
  const shapes = await shapesOf(connection, files).catch(async (error: unknown) => {
    // One of them is at fault: which, each says for itself.
    for (const file of files) await describeFile(connection, owner, file);
    throw error;
  });
  const ranges = await rangesOf(connection, files);
  const footers: Footer[] = [];
  for (const file of files) {
    const shape = shapes.get(file.path) ?? '';
    let types = typesByShape.get(shape);
    if (types === undefined) typesByShape.set(shape, (types = describeFile(connection, owner, file)));
    footers.push({ types: await types, ranges: ranges.get(file.path) ?? new Map() });
  }
  return footers;
}

/** A text by each file's path that is the same for files of the same columns. */
async function shapesOf(
  connection: DuckDBConnection,
  files: readonly ParquetFile[],
): Promise<ReadonlyMap<string, string>> {
  const read = await connection.runAndReadAll(
    `SELECT file_name, to_json(list((name, type, type_length, repetition_type, num_children, converted_type, scale, ` +
      `precision, logical_type, duckdb_type) ORDER BY column_id)) FROM parquet_schema(${listOf(files)}) GROUP BY file_name`,
  );
  return new Map(read.getRows().map(([file, shape]) => [String(file), String(shape)]));
}

async function rangesOf(
  connection: DuckDBConnection,
  files: readonly ParquetFile[],
): Promise<ReadonlyMap<string, Footer['ranges']>> {
  const micros = (of: string) => `CAST(epoch_us(TRY_CAST(${of} AS TIMESTAMPTZ)) AS DOUBLE)`;
  const columns = 'file_name, lower(path_in_schema) AS name, stats_null_count AS nulls';
  const read = await connection.runAndReadAll(
    `SELECT file_name, name, min(least), max(greatest), NOT coalesce(bool_and(nulls = 0), false) FROM (SELECT ${columns}, ${micros('stats_min_value')} AS least, ` +
      // What is no time has none; a nested column's name is no name of a column.
      `${micros('stats_max_value')} AS greatest FROM parquet_metadata(${listOf(files)}) ` +
      `WHERE type IN ('INT64', 'INT32')) GROUP BY file_name, name ` +
      `HAVING count(*) = count(least) AND count(*) = count(greatest)`,
  );
  const found = new Map<string, Map<string, FooterRange>>();
  for (const [file, name, least, greatest, hasNulls] of read.getRows() as [string, string, number, number, boolean][]) {
    const ranges = found.get(file) ?? new Map<string, FooterRange>();
    found.set(file, ranges.set(name, { from: least - SLACK_MICROS, to: greatest + SLACK_MICROS, hasNulls }));
  }
  return found;
}

async function describeFile(
  connection: DuckDBConnection,
  owner: string,
  { name, path }: ParquetFile,
): Promise<Footer['types']> {
  const described = await queryWork(`${owner}: ${name} cannot be read`, 'HR_SOURCE_UNREADABLE', () =>
    connection.runAndReadAll(`DESCRIBE SELECT * FROM read_parquet(${quoteText(path)})`),
  );
  return new Map(described.getRows().map(([column, type]) => [String(column).toLowerCase(), String(type)]));
}

const listOf = (files: readonly ParquetFile[]): string => `[${files.map(({ path }) => quoteText(path)).join(', ')}]`;
