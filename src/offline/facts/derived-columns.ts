// Derived columns and times of rows, as SQL over a relation of declared columns: the one way in which they are computed,
// for files, for the log, and for rows on their way into it.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Definitions, type DeriveSpec, functionOf, type SourceSpec } from '../../definitions/index.ts';
import { registerDerive } from '../duckdb/user-functions.ts';
import { duckType, quoteName } from '../sources/sql-text.ts';

/** `SQL AS "name"` of each derived column; functions are registered with the connection. */
export function derivedColumns(
  connection: DuckDBConnection,
  source: SourceSpec,
  definitions: Pick<Definitions, 'functions'>,
): string[] {
  const declared = source.columns.map(({ name }) => quoteName(name)).join(', ');
  return source.derive.map((spec) => {
    if (spec.by.kind === 'sql') return `${derivedSql(spec, spec.by.sql)} AS ${quoteName(spec.name)}`;
    const name = registerDerive(connection, source.columns, spec, functionOf(definitions, spec.by.function));
    return `${name}(${declared}) AS ${quoteName(spec.name)}`;
  });
}

export function derivedSql({ type }: DeriveSpec, sql: string): string {
  return `CAST((${sql}) AS ${duckType(type)})`;
}

/**
 * A relation that has `__hr_logged`, with `__hr_event` and `__hr_known`. A row known before it happened is known when it
 * happens, so that everything downstream may trust known ≥ event; a pushed row was known when the log says, whatever its
 * columns hold.
 */
export function withTimes(source: SourceSpec, rows: string): string {
  const { knownTime } = source;
  const stated =
    knownTime.kind === 'after'
      ? `__hr_event + ${knownTime.micros}`
      : knownTime.column === source.eventTime
        ? '__hr_event'
        : microsOf(knownTime.column);
  const known = `coalesce(__hr_logged, ${stated})`;
  // greatest() passes over nulls: an unknown time must stay unknown.
  const timed = `CASE WHEN __hr_event IS NOT NULL AND ${known} IS NOT NULL THEN greatest(${known}, __hr_event) END`;
  return `(SELECT *, ${timed} AS __hr_known FROM (SELECT *, ${microsOf(source.eventTime)} AS __hr_event FROM ${rows}))`;
}

// A time that is no whole number in a double (after 2255) is none: its row matches nothing.
function microsOf(column: string): string {
  const micros = `epoch_us(${quoteName(column)})`;
  return `CASE WHEN ${micros} BETWEEN ${-Number.MAX_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER} THEN ${micros} END`;
}
