// The log's columns: as they stand in the lines of a segment, and as a reader sees them and Parquet holds them.

import type { RecordKind } from './segments.ts';

interface Column {
  readonly name: string;
  readonly type: string;
  /** The column of a segment that it is made from, when that is another: microseconds become a time. */
  readonly micros?: string;
}

const text = (name: string): Column => ({ name, type: 'VARCHAR' });
const json = (name: string): Column => ({ name, type: 'JSON' });
const time = (name: string, micros: string): Column => ({ name, type: 'TIMESTAMPTZ', micros });

const COLUMNS: Readonly<Record<RecordKind, readonly Column[]>> = {
  predictions: [
    text('prediction_id'),
    text('request_id'),
    text('trace_id'),
    time('predicted_at', 'predicted_micros'),
    { name: 'latency_micros', type: 'BIGINT' },
    text('endpoint'),
    text('model'),
    { name: 'version', type: 'INTEGER' },
    text('variant'),
    { name: 'unit', type: 'VARCHAR[]' },
    json('request'),
    json('features'),
    json('statuses'),
    json('outputs'),
  ],
  outcomes: [
    text('prediction_id'),
    text('endpoint'),
    json('outcome'),
    time('observed_at', 'observed_micros'),
    time('recorded_at', 'recorded_micros'),
  ],
};

/** The time that says which hour a record belongs to. */
export const HOUR_COLUMN: Readonly<Record<RecordKind, string>> = {
  predictions: 'predicted_at',
  outcomes: 'recorded_at',
};

/** SQL of the records in segments, as a reader sees them. A last line that a crash tore is left out. */
export function segmentsSql(kind: RecordKind, paths: readonly string[]): string {
  const columns = COLUMNS[kind];
  const types = columns.map(
    ({ name, type, micros }) => `${micros ?? name}: '${micros === undefined ? type : 'BIGINT'}'`,
  );
  const picked = columns.map(({ name, micros }) =>
    micros === undefined ? name : `make_timestamp(${micros}) AT TIME ZONE 'UTC' AS ${name}`,
  );
  // A torn line comes as a row of nulls.
  return `SELECT ${picked.join(', ')} FROM read_json(${sqlList(paths)}, format = 'newline_delimited', ignore_errors = true, \
columns = {${types.join(', ')}}) WHERE prediction_id IS NOT NULL`;
}

export function parquetSql(kind: RecordKind, paths: readonly string[]): string {
  const columns = COLUMNS[kind].map(({ name, type }) => `${name}::${type} AS ${name}`);
  return `SELECT ${columns.join(', ')} FROM read_parquet(${sqlList(paths)}, hive_partitioning = false)`;
}

/** A relation without rows. */
export function emptySql(kind: RecordKind): string {
  return `SELECT ${COLUMNS[kind].map(({ name, type }) => `NULL::${type} AS ${name}`).join(', ')} WHERE false`;
}

export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

const sqlList = (texts: readonly string[]): string => `[${texts.map(sqlText).join(', ')}]`;
