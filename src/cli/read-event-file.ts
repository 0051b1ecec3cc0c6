// A file of events as JSON rows: lines of JSON, or Parquet through DuckDB.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { HeadraceError, invalid, messageOf, parseJson } from '../core/index.ts';
import type { DataType } from '../core/index.ts';
import type { SourceSpec } from '../definitions/index.ts';
import { type DuckDb, quoteName, quoteText } from '../storage/index.ts';
import { usageError } from './command.ts';
import { isMissing } from './is-missing.ts';

/** The file's rows as JSON data. Throws HR_USAGE for another ending, HR_SOURCE_UNREADABLE, HR_INVALID naming the line. */
export async function readEventFile(
  file: string,
  source: SourceSpec,
  duckdb: () => Promise<DuckDb>,
): Promise<unknown[]> {
  if (/\.(jsonl|ndjson)$/i.test(file)) return readJsonLines(file);
  if (/\.parquet$/i.test(file)) return readParquet(file, source, await duckdb());
  throw usageError(`a file of events ends in .jsonl or .parquet, got "${file}".`);
}

/** Throws HR_SOURCE_UNREADABLE, HR_INVALID naming the line. */
export async function readJsonLines(file: string): Promise<unknown[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (thrown) {
    throw unreadable(file, thrown);
  }
  return text.split('\n').flatMap((line, at) => {
    if (line.trim() === '') return [];
    try {
      return [parseJson(line)];
    } catch (thrown) {
      throw invalid([
        {
          path: `line ${at + 1}`,
          message: `is not JSON: ${messageOf(thrown)}`,
        },
      ]);
    }
  });
}

// Through JSON text, which keeps every digit, in the file's own order.
async function readParquet(file: string, source: SourceSpec, duckdb: DuckDb): Promise<unknown[]> {
  if (!existsSync(file)) throw new HeadraceError('HR_SOURCE_UNREADABLE', `there is no file ${file}.`);
  const connection = await duckdb.connect();
  try {
    const path = quoteText(file);
    const described = await connection.runAndReadAll(
      `SELECT name FROM (DESCRIBE SELECT * FROM read_parquet(${path})) AS d(name, type, a, b, c, e)`,
    );
    const present = new Set(described.getRows().map(([name]) => String(name)));
    const members = source.columns
      .filter(({ name }) => present.has(name))
      .map(({ name, type }) => `${quoteText(name)}: ${jsonOf(name, type)}`);
    if (members.length === 0)
      throw new HeadraceError('HR_SOURCE_UNREADABLE', `${file} has none of the columns of source "${source.name}".`);
    const reader = await connection.runAndReadAll(
      `SELECT CAST(to_json({${members.join(', ')}}) AS VARCHAR) FROM read_parquet(${path}, file_row_number = true) ORDER BY file_row_number`,
    );
    return reader.getRows().map(([text]) => parseJson(String(text)));
  } catch (thrown) {
    if (thrown instanceof HeadraceError) throw thrown;
    throw unreadable(file, thrown);
  } finally {
    connection.closeSync();
  }
}

function jsonOf(name: string, type: DataType): string {
  const column = quoteName(name);
  switch (type.kind) {
    case 'bytes':
      return `to_base64(${column})`;
    case 'timestamp':
      return `CAST(${column} AS VARCHAR)`;
    case 'float32':
    case 'float64':
      return `CASE WHEN isfinite(${column}) THEN to_json(${column}) WHEN isnan(${column}) THEN to_json('NaN') WHEN ${column} > 0 THEN to_json('Infinity') WHEN ${column} < 0 THEN to_json('-Infinity') END`;
    default:
      return column;
  }
}

function unreadable(file: string, thrown: unknown): HeadraceError {
  if (isMissing(thrown)) return new HeadraceError('HR_SOURCE_UNREADABLE', `there is no file ${file}.`);
  const message = messageOf(thrown);
  return new HeadraceError('HR_SOURCE_UNREADABLE', `${file} cannot be read: ${message}`, { cause: thrown });
}
