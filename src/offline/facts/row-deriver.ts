// Derived columns of rows on their way into the log: TypeScript functions are called here, SQL runs in DuckDB over a table
// of the declared types, by the very text that the facts relation has.

import { HeadraceError, messageOf, type Row, type Value } from '../../core/index.ts';
import {
  compileDerive,
  type Definitions,
  type DeriveSpec,
  forgiving,
  functionOf,
  type OnFailedValue,
  type SourceSpec,
} from '../../definitions/index.ts';
import type { DuckDb } from '../../storage/index.ts';
import { createRowAppender } from '../duckdb/row-appender.ts';
import { fromDuck } from '../duckdb/vector-values.ts';
import { duckType, quoteName } from '../sources/sql-text.ts';
import { derivedSql } from './derived-columns.ts';

/** Rows of a source's declared columns to the same rows with its derived ones. Throws HR_TRANSFORM_FAILED. */
export type RowDeriver = (rows: readonly Row[]) => Promise<readonly Row[]> | readonly Row[];

/**
 * `duckdb` is opened at the first rows that need it: none do where no column is derived by SQL. With `onFailed` a value that
 * can't be derived is null. Throws HR_CODE_MISSING.
 */
export function createRowDeriver(
  definitions: Pick<Definitions, 'functions'>,
  source: SourceSpec,
  duckdb: () => Promise<DuckDb>,
  onFailed?: OnFailedValue,
): RowDeriver {
  if (source.derive.length === 0) return (rows) => rows;
  const bySql = source.derive.filter(({ by }) => by.kind === 'sql');
  const calls = source.derive.flatMap((spec) => {
    if (spec.by.kind === 'sql') return [];
    const call = compileDerive(functionOf(definitions, spec.by.function), source.columns, spec);
    return [{ name: spec.name, call: forgiving(call, spec, onFailed) }];
  });
  const byFunction = (rows: readonly Row[]): Row[] =>
    rows.map((row) => {
      const values = source.columns.map(({ name }) => row[name] ?? null);
      const derived: Record<string, Value> = { ...row };
      for (const { name, call } of calls) derived[name] = call(values);
      return derived;
    });
  if (bySql.length === 0) return byFunction;
  return async (rows) => {
    if (rows.length === 0) return [];
    const derived = byFunction(rows);
    const values = await deriveBySql(await duckdb(), source, bySql, rows, onFailed);
    return derived.map((row, i) => ({ ...row, ...values[i] }));
  };
}

const TABLE = '__hr_derive';

async function deriveBySql(
  duckdb: DuckDb,
  source: SourceSpec,
  specs: readonly DeriveSpec[],
  rows: readonly Row[],
  onFailed: OnFailedValue | undefined,
): Promise<Row[]> {
  const connection = await duckdb.connect();
  try {
    const columns = source.columns.map(({ name, type }) => `${quoteName(name)} ${duckType(type)}`);
    await connection.run(`CREATE TEMP TABLE ${TABLE} (${columns.join(', ')})`);
    const appender = await createRowAppender(
      connection,
      TABLE,
      source.columns.map(({ type }) => type),
    );
    for (const row of rows) appender.add(source.columns.map(({ name }) => row[name] ?? null));
    appender.close();
    const isForgiving = onFailed !== undefined;
    const selected = specs.map((spec) => derivedSql(spec, spec.by.kind === 'sql' ? spec.by.sql : 'NULL', isForgiving));
    // One batch lies in the order in which it was appended.
    const read = await connection.runAndReadAll(`SELECT ${selected.join(', ')} FROM ${TABLE}`);
    return read
      .getRows()
      .map((values) => Object.fromEntries(specs.map(({ name, type }, i) => [name, fromDuck(type, values[i] ?? null)])));
  } catch (thrown) {
    const message = messageOf(thrown);
    throw new HeadraceError('HR_TRANSFORM_FAILED', `derived columns of source "${source.name}" failed: ${message}`, {
      cause: thrown,
    });
  } finally {
    connection.closeSync();
  }
}
