// Derived columns of pushed rows: TypeScript functions here, SQL in an in-memory DuckDB, as offline computes them.

import { HeadraceError, type Row, type Value } from '../core/index.ts';
import { compileDerive, type Definitions, type SourceSpec } from '../definitions/index.ts';
import type { DuckDb } from '../storage/index.ts';
import { deriveBySql } from './derive-by-sql.ts';

/** Rows of the source's columns → the same with its derived columns. */
export type DeriveColumns = (rows: readonly Row[]) => Promise<Row[]>;

/** Compiles a source's derived columns. Throws HR_CODE_CHANGED when a function is missing. */
export function compileDerivedColumns(
  definitions: Definitions,
  source: SourceSpec,
  duckdb: () => Promise<DuckDb>,
): DeriveColumns {
  const byFunction = source.derive.flatMap((spec) => {
    if (spec.by.kind !== 'function') return [];
    const call = definitions.functions.get(spec.by.function.id);
    if (call === undefined)
      throw new HeadraceError(
        'HR_CODE_CHANGED',
        `the feature repository has no function for column "${spec.name}" of source "${source.name}". Run \`headrace apply\`.`,
      );
    return [{ name: spec.name, derive: compileDerive(call, source.columns, spec) }];
  });
  const bySql = source.derive.filter((spec) => spec.by.kind === 'sql');
  return async (rows) => {
    const derived = rows.map((row) => {
      if (byFunction.length === 0) return row;
      const values = source.columns.map((column) => row[column.name] ?? null);
      const out: Record<string, Value> = { ...row };
      for (const { name, derive } of byFunction) out[name] = derive(values);
      return out;
    });
    return bySql.length === 0 ? derived : deriveBySql(await duckdb(), source, bySql, derived);
  };
}
