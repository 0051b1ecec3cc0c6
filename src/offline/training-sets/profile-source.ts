// Counts that go into a training set's record: the rows of its sources, and those that were ignored.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { ViewSpec } from '../../definitions/index.ts';
import { quoteName } from '../../storage/index.ts';
import type { Facts } from '../facts/facts.ts';
import type { ReadPlan } from '../plan.ts';
import type { SourceSnapshot } from './record.ts';

/** Rows of a source, and how many of them match nothing: never dropped in silence. */
export async function profileSource(
  connection: DuckDBConnection,
  facts: Facts,
  reads: readonly ReadPlan[],
): Promise<Pick<SourceSnapshot, 'rows' | 'ignored'>> {
  const views = [...new Map(reads.map(({ view }) => [view.name, view])).values()];
  const whole = await countWhole(connection, facts, views);
  if (whole !== undefined) {
    return { rows: whole, ignored: { nullTime: 0, nullKey: Object.fromEntries(views.map(({ name }) => [name, 0])) } };
  }
  const nullKeys = views.map(
    (view) => `count(*) FILTER (${view.keyColumns.map((key) => `${quoteName(key)} IS NULL`).join(' OR ')})`,
  );
  const counts = ['count(*)', 'count(*) FILTER (__hr_known IS NULL)', ...nullKeys];
  const read = await connection.runAndReadAll(`SELECT ${counts.join(', ')} FROM ${facts.relation}`);
  const [rows = 0, nullTime = 0, ...keys] = (read.getRows()[0] as bigint[]).map(Number);
  return { rows, ignored: { nullTime, nullKey: Object.fromEntries(views.map(({ name }, i) => [name, keys[i] ?? 0])) } };
}

/**
 * The rows, where each has its keys and times; undefined where one hasn't, or where only a pass would tell. What is asked
 * here of Parquet files, DuckDB answers from their footers.
 */
async function countWhole(
  connection: DuckDBConnection,
  { source, relation, log }: Facts,
  views: readonly ViewSpec[],
): Promise<number | undefined> {
  if (source.kind !== 'parquet' || source.derive.length > 0 || log !== null) return undefined;
  const { eventTime, knownTime } = source;
  const times = [...new Set([eventTime, ...(knownTime.kind === 'column' ? [knownTime.column] : [])])].map(quoteName);
  const keys = [...new Set(views.flatMap(({ keyColumns }) => keyColumns))].map(quoteName);
  const counts = ['count(*)', ...[...times, ...keys].map((column) => `count(${column})`)];
  // A time out of the range of `__hr_known` counts as none, and so does infinity, which gives null here.
  const ends = times.flatMap((column) => [`epoch_us(min(${column}))`, `epoch_us(max(${column}))`]);
  const asked = [...counts, ...ends].map((sql) => `CAST(${sql} AS DOUBLE)`);
  const read = await connection.runAndReadAll(`SELECT ${asked.join(', ')} FROM ${relation}`);
  const values = read.getRows()[0] as (number | null)[];
  const [rows = 0, ...present] = values.slice(0, counts.length);
  const isInRange = values.slice(counts.length).every((micros) => micros !== null && Number.isSafeInteger(micros));
  return isInRange && present.every((count) => count === rows) ? (rows ?? 0) : undefined;
}
