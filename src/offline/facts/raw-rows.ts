// Rows as files and log give them, before derivation: the columns that every relation of facts is made from.

import type { DuckDBConnection } from '@duckdb/node-api';
import { didYouMean, HeadraceError, typeName } from '../../core/index.ts';
import { knownColumn, type SourceSpec } from '../../definitions/index.ts';
import { quoteName } from '../../storage/index.ts';
import type { FileNames } from '../sources/pinned-snapshot.ts';
import { queryWork } from '../sources/source-errors.ts';
import { pathValues } from '../sources/path-partitions.ts';
import { castSql, duckType, type Times } from '../sources/sql-text.ts';

/** Rows of one file: a row's number is its file's index times this, plus its place in the file. */
export const ROWS_PER_FILE = 2 ** 36;
/** The log's rows are numbered on from here: above those of all files. */
export const FIRST_LOG_ROW = 2 ** 52;
export const MOST_FILES = FIRST_LOG_ROW / ROWS_PER_FILE;

/** What the log says of a row, in a file's row: its place, when it arrived, when it was released, what reading it lost. */
export const NOT_IN_LOG =
  'CAST(NULL AS INTEGER) AS __hr_writer, CAST(NULL AS INTEGER) AS __hr_cut, ' +
  'CAST(NULL AS BIGINT) AS __hr_offset, CAST(NULL AS BIGINT) AS __hr_logged, CAST(NULL AS BIGINT) AS __hr_released, ' +
  'CAST(NULL AS VARCHAR) AS __hr_lost';

/** Rows of files: the declared columns, `__hr_row`, `__hr_file` and NOT_IN_LOG. */
export interface FileRows {
  /** To stand after FROM; `files` are indices, of which there is at least one. */
  relation(files: readonly number[]): string;
}

/** A relation of the same columns that holds none. */
export function noRows(source: SourceSpec): string {
  const columns = source.columns.map(({ name, type }) => `CAST(NULL AS ${duckType(type)}) AS ${quoteName(name)}`);
  const places = 'CAST(NULL AS BIGINT) AS __hr_row, CAST(NULL AS INTEGER) AS __hr_file';
  return `(SELECT ${[...columns, places, NOT_IN_LOG].join(', ')} LIMIT 0)`;
}

/**
 * Column types of a file by lower-case name, as DuckDB compares names. Throws when a declared column is missing; `names`: under
 * which name each is meant to be there.
 */
export async function columnsOf(
  connection: DuckDBConnection,
  source: SourceSpec,
  from: string,
  file: string,
  names?: FileNames,
): Promise<ReadonlyMap<string, string>> {
  const described = await queryWork(`source "${source.name}": ${file} cannot be read`, 'HR_SOURCE_UNREADABLE', () =>
    connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`),
  );
  const found = new Map(described.getRows().map(([name, type]) => [String(name).toLowerCase(), String(type)]));
  return checkColumns(source, found, file, names);
}

/** The types themselves, if every declared column is among them, or among what the file's path says. */
export function checkColumns(
  source: SourceSpec,
  found: ReadonlyMap<string, string>,
  file: string,
  names?: FileNames,
): ReadonlyMap<string, string> {
  const inPath = pathValues(file);
  const missing = source.columns.find((column) => {
    const name = nameIn(column, names)?.toLowerCase();
    return name !== undefined && !found.has(name) && !inPath.has(name);
  });
  if (missing === undefined) return found;
  throw new HeadraceError(
    'HR_SOURCE_UNREADABLE',
    `source "${source.name}": ${file} has no column "${missing.name}".${didYouMean(missing.name, found.keys())} It has: ${[...found.keys()].join(', ')}.`,
  );
}

/** The SQL of a declared column whose value is a folder's: `value` is the SQL of that text. */
export function castPath(source: SourceSpec, column: SourceSpec['columns'][number], value: string): string {
  const cast = castSql(value, 'VARCHAR', column.type, timesOf(source, column));
  if (cast !== undefined) return `${cast} AS ${quoteName(column.name)}`;
  throw new HeadraceError(
    'HR_SOURCE_UNREADABLE',
    `source "${source.name}": column "${column.name}" is text in the files' paths, and was declared ${typeName(column.type)}.`,
  );
}

// A row whose time is far off, or never comes, matches nothing, and is counted so. As a value it would be another one online.
function timesOf(source: SourceSpec, { name }: SourceSpec['columns'][number]): Times {
  return name === source.eventTime || name === knownColumn(source) ? 'any' : 'values';
}

/** What a file calls a declared column; null where it lacks it. */
export function nameIn({ name }: SourceSpec['columns'][number], names: FileNames | undefined): string | null {
  const found = names?.get(name.toLowerCase());
  return found === undefined ? name : found;
}

/**
 * The SQL of a declared column, which lies under `name`; HR_SOURCE_UNREADABLE when the file's type cannot become the declared
 * one.
 */
export function castColumn(
  source: SourceSpec,
  column: SourceSpec['columns'][number],
  from: string,
  name: string = column.name,
): string {
  const cast = castSql(quoteName(name), from, column.type, timesOf(source, column));
  if (cast === undefined) {
    throw new HeadraceError(
      'HR_SOURCE_UNREADABLE',
      `source "${source.name}": column "${column.name}" is ${from} in the files, and was declared ${typeName(column.type)}. ` +
        'Declare it as it is, or derive another column from it.',
    );
  }
  return `${cast} AS ${quoteName(column.name)}`;
}
