// Derived columns and times of rows, as SQL over a relation of declared columns: the one way in which they are computed,
// for files, for the log, and for rows on their way into it.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type DeriveSpec, functionOf, type SourceSpec } from '../../definitions/index.ts';
import { registerDerive } from '../duckdb/user-functions.ts';
import { duckType, quoteName } from '../sources/sql-text.ts';
import type { FactsDeps } from './facts.ts';

/**
 * `SQL AS "name"` of each derived column; functions are registered with the connection. With `onFailedValue` a value that
 * can't be derived is null.
 */
export function derivedColumns(
  connection: DuckDBConnection,
  source: SourceSpec,
  { definitions, onFailedValue }: Pick<FactsDeps, 'definitions' | 'onFailedValue'>,
): string[] {
  const declared = source.columns.map(({ name }) => quoteName(name)).join(', ');
  return source.derive.map((spec) => {
    if (spec.by.kind === 'sql')
      return `${derivedSql(spec, spec.by.sql, onFailedValue !== undefined)} AS ${quoteName(spec.name)}`;
    const name = registerDerive(
      connection,
      source.columns,
      spec,
      functionOf(definitions, spec.by.function),
      onFailedValue,
    );
    return `${name}(${declared}) AS ${quoteName(spec.name)}`;
  });
}

export function derivedSql({ type }: DeriveSpec, sql: string, isForgiving: boolean): string {
  const cast = `CAST((${sql}) AS ${duckType(type)})`;
  return isForgiving ? `TRY(${cast})` : cast;
}

/**
 * A relation that has `__hr_logged`, with `__hr_event` and `__hr_known`. A row known before it happened is known when it
 * happens, so that everything downstream may trust known ≥ event; a pushed row whose source has no column for it, or that
 * leaves it null, was known when the log has it.
 */
export function withTimes(source: SourceSpec, rows: string): string {
  const { knownTime } = source;
  const known =
    knownTime.kind === 'after'
      ? `coalesce(__hr_logged, __hr_event + ${knownTime.micros})`
      : knownTime.column === source.eventTime
        ? 'coalesce(__hr_logged, __hr_event)'
        : `coalesce(${microsOf(knownTime.column)}, __hr_logged)`;
  // greatest() passes over nulls: an unknown time must stay unknown.
  const timed = `CASE WHEN __hr_event IS NOT NULL AND ${known} IS NOT NULL THEN greatest(${known}, __hr_event) END`;
  return `(SELECT *, ${timed} AS __hr_known FROM (SELECT *, ${microsOf(source.eventTime)} AS __hr_event FROM ${rows}))`;
}

// A time that is no whole number in a double (after 2255) is none: its row matches nothing.
function microsOf(column: string): string {
  const micros = `epoch_us(${quoteName(column)})`;
  return `CASE WHEN ${micros} BETWEEN ${-Number.MAX_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER} THEN ${micros} END`;
}
