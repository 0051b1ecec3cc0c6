// Derived columns of rows on their way into the log: TypeScript functions are called here, SQL runs in DuckDB over a table
// of the declared types, by the very text that the facts relation has.

import { HeadraceError, messageOf, type Row, toHeadraceError, type Value } from '../../core/index.ts';
import {
  compileDerive,
  type Definitions,
  type DeriveSpec,
  forgiving,
  functionOf,
  type OnFailedValue,
  type SourceSpec,
} from '../../definitions/index.ts';
import { type DuckDb, quoteName } from '../../storage/index.ts';
import { createRowAppender } from '../duckdb/row-appender.ts';
import { fromDuck } from '../duckdb/vector-values.ts';
import { duckType } from '../sources/sql-text.ts';
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
  const deriveOne = (row: Row): Row => {
    const values = source.columns.map(({ name }) => row[name] ?? null);
    const derived: Record<string, Value> = { ...row };
    for (const { name, call } of calls) derived[name] = call(values);
    return derived;
  };
  const byFunction = (rows: readonly Row[]): Row[] => {
    const derived: Row[] = [];
    try {
      for (const row of rows) derived.push(deriveOne(row));
      return derived;
    } catch (error) {
      throw atRow(source, derived.length, error);
    }
  };
  if (bySql.length === 0) return byFunction;
  return async (rows) => {
    if (rows.length === 0) return [];
    const derived = byFunction(rows);
    const bySome = async (specs: readonly DeriveSpec[], some: readonly Row[]) =>
      deriveBySql(await duckdb(), source, specs, some);
    const values =
      onFailed === undefined ? await bySome(bySql, rows) : await deriveWhatCan(bySome, bySql, rows, onFailed);
    return derived.map((row, i) => ({ ...row, ...values[i] }));
  };
}

/** By halves: of many rows those that fail are found without asking for each. */
async function deriveWhatCan(
  derive: (specs: readonly DeriveSpec[], rows: readonly Row[]) => Promise<Row[]>,
  specs: readonly DeriveSpec[],
  rows: readonly Row[],
  onFailed: OnFailedValue,
): Promise<Row[]> {
  try {
    return await derive(specs, rows);
  } catch (error) {
    const half = Math.ceil(rows.length / 2);
    if (rows.length > 1) {
      const first = await deriveWhatCan(derive, specs, rows.slice(0, half), onFailed);
      return [...first, ...(await deriveWhatCan(derive, specs, rows.slice(half), onFailed))];
    }
    const [only] = specs;
    if (specs.length > 1 || only === undefined) {
      const columns: Row[] = [];
      for (const spec of specs) columns.push(...(await deriveWhatCan(derive, [spec], rows, onFailed)));
      return [Object.assign({}, ...columns) as Row];
    }
    onFailed(only.name, error);
    return [{ [only.name]: null }];
  }
}

function atRow({ name }: SourceSpec, row: number, error: unknown): HeadraceError {
  const { code, message, where } = toHeadraceError(error);
  return new HeadraceError(code, `row ${row} of source "${name}": ${message}`, {
    cause: error,
    where,
    details: [{ path: `rows[${row}]`, message }],
  });
}

const TABLE = '__hr_derive';

async function deriveBySql(
  duckdb: DuckDb,
  source: SourceSpec,
  specs: readonly DeriveSpec[],
  rows: readonly Row[],
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
    const selected = specs.map((spec) => derivedSql(spec, spec.by.kind === 'sql' ? spec.by.sql : 'NULL'));
    // One batch lies in the order in which it was appended.
    const read = await connection.runAndReadAll(`SELECT ${selected.join(', ')} FROM ${TABLE}`);
    return read
      .getRows()
      .map((values) => Object.fromEntries(specs.map(({ name, type }, i) => [name, fromDuck(type, values[i] ?? null)])));
  } catch (thrown) {
    const message = messageOf(thrown);
    const where = `derived columns of source "${source.name}"`;
    throw new HeadraceError('HR_TRANSFORM_FAILED', `${where} failed: ${message}`, { cause: thrown, where });
  } finally {
    connection.closeSync();
  }
}
