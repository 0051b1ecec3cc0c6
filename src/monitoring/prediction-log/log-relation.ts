// The whole log as one SQL relation, wherever its records lie now: Parquet of past hours, and the segments not compacted
// yet, of every process.

import { basename, dirname } from 'node:path';
import { formatTimestamp, type Micros, MICROS_PER_HOUR, parseTimestamp } from '../../core/index.ts';
import { emptySql, HOUR_COLUMN, parquetSql, segmentsSql, sqlText } from './log-columns.ts';
import { listParquet, listSegments, type RecordKind } from './segments.ts';

/** Predictions from `from` on and before `to`, by the time they were made at. */
export interface LogRange {
  readonly from?: Micros;
  readonly to?: Micros;
}

/**
 * SQL of all logged predictions, one row each, with `outcome`, `observed_at` and `recorded_at` of the outcome that was
 * recorded last (null while there is none). It names the files that are there now: a compaction meanwhile can take one
 * away, and the query then fails; ask again.
 */
export async function predictionLogSql(directory: string, range: LogRange = {}): Promise<string> {
  const predictions = await recordsSql(directory, 'predictions', range);
  const outcomes = await recordsSql(directory, 'outcomes', {});
  return `SELECT predictions.*, outcomes.outcome, outcomes.observed_at, outcomes.recorded_at FROM (${predictions}) predictions \
LEFT JOIN (SELECT * FROM (${outcomes}) ${newestOutcome}) outcomes ON outcomes.prediction_id = predictions.prediction_id`;
}

// The recorded value decides where two servers recorded at the same microsecond.
export const newestOutcome =
  'QUALIFY row_number() OVER (PARTITION BY prediction_id ORDER BY recorded_at DESC, observed_at DESC, outcome::VARCHAR DESC) = 1';

async function recordsSql(directory: string, kind: RecordKind, range: LogRange): Promise<string> {
  // Segments first: one that is gone by now has its Parquet in the second list. And a segment that is still there counts
  // alone, without Parquet made from it, so that a record that is in both is read once.
  const segments = await listSegments(directory, kind);
  const names = new Set(segments.map(({ name }) => name));
  const parquet = (await listParquet(directory, kind)).filter(
    (path) => !names.has(basename(path, '.parquet')) && overlaps(hourOf(path), range),
  );
  const parts = [
    ...(parquet.length === 0 ? [] : [parquetSql(kind, parquet)]),
    ...(segments.length === 0
      ? []
      : [
          segmentsSql(
            kind,
            segments.map(({ path }) => path),
          ),
        ]),
  ];
  const all = parts.length === 0 ? emptySql(kind) : parts.join(' UNION ALL ');
  const conditions = [
    ...(range.from === undefined ? [] : [`${HOUR_COLUMN[kind]} >= ${timeSql(range.from)}`]),
    ...(range.to === undefined ? [] : [`${HOUR_COLUMN[kind]} < ${timeSql(range.to)}`]),
  ];
  return conditions.length === 0 ? all : `SELECT * FROM (${all}) WHERE ${conditions.join(' AND ')}`;
}

/** When the hour of a Parquet file begins, from its folders `date=2026-11-25/hour=07`. */
export function hourOf(path: string): Micros {
  const hour = basename(dirname(path)).slice('hour='.length);
  const date = basename(dirname(dirname(path))).slice('date='.length);
  return parseTimestamp(`${date}T${hour}:00:00Z`) ?? 0;
}

function overlaps(hour: Micros, { from = -Infinity, to = Infinity }: LogRange): boolean {
  return hour < to && hour + MICROS_PER_HOUR > from;
}

const timeSql = (at: Micros): string => `${sqlText(formatTimestamp(at))}::TIMESTAMPTZ`;
