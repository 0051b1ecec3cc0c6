// Parquet files as raw rows. Row numbers come from the files themselves, so nothing is copied.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { SourceSpec } from '../../definitions/index.ts';
import { quoteName, quoteText } from '../../storage/index.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import { pathValues, textSql } from '../sources/path-partitions.ts';
import { duckType } from '../sources/sql-text.ts';
import {
  castColumn,
  castPath,
  checkColumns,
  columnsOf,
  type FileRows,
  nameIn,
  NOT_IN_LOG,
  ROWS_PER_FILE,
} from './raw-rows.ts';

/** Throws HR_SOURCE_UNREADABLE that names file and column. */
export async function parquetRows(
  connection: DuckDBConnection,
  source: SourceSpec,
  { files, paths, footers, names }: PinnedSnapshot,
): Promise<FileRows> {
  const columns: ReadonlyMap<string, string>[] = [];
  for (const [i, { path }] of files.entries()) {
    const known = footers?.[i]?.types;
    if (known !== undefined) columns.push(checkColumns(source, known, path, names?.[i]));
    else columns.push(await columnsOf(connection, source, readParquet([paths[i] as string]), path, names?.[i]));
  }
  const values = files.map(({ path }) => pathValues(path));
  // DuckDB's own numbers of file and row can't be had where a file has columns of their names, and files of other types
  // are better cast each by itself than made alike first.
  const isUniform =
    names === undefined &&
    columns.every((types) => !isShadowed(types) && hasSameTypes(source, types, columns[0] ?? types));
  const selected = (i: number, fromPaths: (name: string) => string) =>
    source.columns.map((column) => {
      const name = nameIn(column, names?.[i]);
      if (name === null) return `CAST(NULL AS ${duckType(column.type)}) AS ${quoteName(column.name)}`;
      const type = columns[i]?.get(name.toLowerCase());
      return type === undefined
        ? castPath(source, column, fromPaths(name.toLowerCase()))
        : castColumn(source, column, type, name);
    });
  const pathSql = (i: number) => (name: string) => textSql(values[i]?.get(name));
  const apart = (i: number): string => {
    const place = isShadowed(columns[i] ?? new Map()) ? 'row_number() OVER () - 1' : 'file_row_number';
    const row = `CAST(${i * ROWS_PER_FILE} + ${place} AS BIGINT) AS __hr_row, CAST(${i} AS INTEGER) AS __hr_file`;
    return `SELECT ${[...selected(i, pathSql(i)), row, NOT_IN_LOG].join(', ')} FROM ${readParquet([paths[i] as string])}`;
  };
  return {
    relation(indices) {
      if (!isUniform || indices.length === 1) return `(${indices.map(apart).join(' UNION ALL ')})`;
      const isAll = indices.length === files.length;
      const file = isAll ? 'file_index' : `[${indices.join(', ')}][CAST(file_index AS BIGINT) + 1]`;
      const row = `CAST(${file} AS BIGINT) * ${ROWS_PER_FILE} + file_row_number AS __hr_row, CAST(${file} AS INTEGER) AS __hr_file`;
      const from = readParquet(indices.map((i) => paths[i] as string));
      const pathsSql = (name: string) =>
        `[${indices.map((i) => textSql(values[i]?.get(name))).join(', ')}][CAST(file_index AS BIGINT) + 1]`;
      return `(SELECT ${[...selected(0, pathsSql), row, NOT_IN_LOG].join(', ')} FROM ${from})`;
    },
  };
}

const readParquet = (paths: readonly string[]): string =>
  `read_parquet([${paths.map(quoteText).join(', ')}], union_by_name = true)`;

const isShadowed = (types: ReadonlyMap<string, string>): boolean =>
  types.has('file_row_number') || types.has('file_index');

function hasSameTypes(source: SourceSpec, a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return source.columns.every(({ name }) => a.get(name.toLowerCase()) === b.get(name.toLowerCase()));
}
