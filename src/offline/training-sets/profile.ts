// Counts that go into a training set's record: null rates and ranges of its features, and the rows that were ignored.

import type { DuckDBConnection } from '@duckdb/node-api';
import { isNumeric, typeName } from '../../core/index.ts';
import type { Facts } from '../facts/facts.ts';
import type { ReadPlan, TrainingSetPlan } from '../plan.ts';
import { quoteName, quoteText } from '../sources/sql-text.ts';
import type { FeatureProfile, SourceSnapshot } from './record.ts';

export async function profileFeatures(
  connection: DuckDBConnection,
  plan: TrainingSetPlan,
  path: string,
  rows: number,
): Promise<FeatureProfile[]> {
  const columns = plan.features.flatMap(({ name, type }) => {
    const column = quoteName(name);
    const numeric = isNumeric(type) ? `CAST(${column} AS DOUBLE)` : 'CAST(NULL AS DOUBLE)';
    // Infinity and NaN would hide every other value of a mean.
    const finite = isNumeric(type) ? ` FILTER (isfinite(${numeric}))` : '';
    return [`CAST(count(${column}) AS DOUBLE)`, ...['avg', 'min', 'max'].map((of) => `${of}(${numeric})${finite}`)];
  });
  const read = await connection.runAndReadAll(`SELECT ${columns.join(', ')} FROM read_parquet(${quoteText(path)})`);
  const values = read.getRows()[0] as (number | null)[];
  return plan.features.map(({ name, type }, i) => {
    const [present, mean, min, max] = values.slice(i * 4, i * 4 + 4) as [
      number,
      number | null,
      number | null,
      number | null,
    ];
    const profile = { name, type: typeName(type), nullRate: rows === 0 ? 0 : (rows - present) / rows };
    return mean === null || min === null || max === null ? profile : { ...profile, mean, min, max };
  });
}

/** Rows of a source, and how many of them match nothing: never dropped in silence. */
export async function profileSource(
  connection: DuckDBConnection,
  { relation }: Facts,
  reads: readonly ReadPlan[],
): Promise<Pick<SourceSnapshot, 'rows' | 'ignored'>> {
  const views = [...new Map(reads.map(({ view }) => [view.name, view])).values()];
  const nullKeys = views.map(
    (view) => `count(*) FILTER (${view.keyColumns.map((key) => `${quoteName(key)} IS NULL`).join(' OR ')})`,
  );
  const counts = ['count(*)', 'count(*) FILTER (__hr_known IS NULL)', ...nullKeys];
  const read = await connection.runAndReadAll(`SELECT ${counts.join(', ')} FROM ${relation}`);
  const [rows = 0, nullTime = 0, ...keys] = (read.getRows()[0] as bigint[]).map(Number);
  return { rows, ignored: { nullTime, nullKey: Object.fromEntries(views.map(({ name }, i) => [name, keys[i] ?? 0])) } };
}
