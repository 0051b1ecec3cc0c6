// Derived columns and times of rows, as SQL over a relation of declared columns: the one way in which they are computed,
// for files, for the log, and for rows on their way into it.

import type { DuckDBConnection } from '@duckdb/node-api';
import {
  type Definitions,
  type DeriveSpec,
  functionOf,
  knownColumn,
  type OnFailedValue,
  type SourceSpec,
} from '../../definitions/index.ts';
import { quoteName } from '../../storage/index.ts';
import { registerDerive } from '../duckdb/user-functions.ts';
import { duckType } from '../sources/sql-text.ts';
import { noRows } from './raw-rows.ts';

/**
 * `SQL AS "name"` of each derived column; functions are registered with the connection. With `onFailedValue` a value that
 * can't be derived is null: of functions it is told; of SQL nobody can tell which null is one.
 */
export async function derivedColumns(
  connection: DuckDBConnection,
  source: SourceSpec,
  definitions: Pick<Definitions, 'functions'>,
  onFailedValue: OnFailedValue | undefined,
): Promise<string[]> {
  const columns: string[] = [];
  for (const spec of source.derive) {
    columns.push(
      `${await derivedColumn(connection, source, spec, definitions, onFailedValue)} AS ${quoteName(spec.name)}`,
    );
  }
  return columns;
}

async function derivedColumn(
  connection: DuckDBConnection,
  source: SourceSpec,
  spec: DeriveSpec,
  definitions: Pick<Definitions, 'functions'>,
  onFailedValue: OnFailedValue | undefined,
): Promise<string> {
  if (spec.by.kind === 'sql') {
    const plain = derivedSql(spec, spec.by.sql);
    const forgiving = `TRY(${plain})`;
    return onFailedValue !== undefined && (await canRun(connection, source, forgiving)) ? forgiving : plain;
  }
  const fn = functionOf(definitions, spec.by.function);
  const name = registerDerive(connection, source.columns, spec, fn, onFailedValue);
  return `${name}(${source.columns.map((column) => quoteName(column.name)).join(', ')})`;
}

// Not around what differs from call to call, or asks another query.
async function canRun(connection: DuckDBConnection, source: SourceSpec, sql: string): Promise<boolean> {
  try {
    await connection.run(`SELECT ${sql} FROM ${noRows(source)}`);
    return true;
  } catch {
    // Whatever else is wrong with it, the query that uses it says.
    return false;
  }
}

export function derivedSql({ type }: DeriveSpec, sql: string): string {
  return `CAST((${sql}) AS ${duckType(type)})`;
}

/**
 * A relation that has `__hr_logged` and `__hr_released`, with `__hr_event` and `__hr_known`. A row known before it happened is known when it
 * happens, so that everything downstream may trust known ≥ event; a pushed row whose source has no column for it, or that
 * leaves it null, was known when the log has it, and one that was set apart and put back not before that.
 */
export function withTimes(source: SourceSpec, rows: string): string {
  const { knownTime } = source;
  const column = knownColumn(source);
  const after = knownTime.kind === 'after' ? ` + ${knownTime.micros}` : '';
  const known =
    column === undefined ? `coalesce(__hr_logged, __hr_event${after})` : `coalesce(${microsOf(column)}, __hr_logged)`;
  // greatest() passes over nulls: an unknown time must stay unknown, and few rows were ever released.
  const timed = `CASE WHEN __hr_event IS NOT NULL AND ${known} IS NOT NULL THEN greatest(${known}, __hr_event, __hr_released) END`;
  return `(SELECT *, ${timed} AS __hr_known FROM (SELECT *, ${microsOf(source.eventTime)} AS __hr_event FROM ${rows}))`;
}

// A time that is no whole number in a double (after 2255) is none: its row matches nothing.
function microsOf(column: string): string {
  const micros = `epoch_us(${quoteName(column)})`;
  return `CASE WHEN ${micros} BETWEEN ${-Number.MAX_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER} THEN ${micros} END`;
}
