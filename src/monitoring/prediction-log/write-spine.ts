// A stretch of the log as a spine: what was asked, when, and what became of it, so that a training set is made of the very
// moments that were served.

import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError, syncPath } from '../../core/index.ts';
import { type DuckDb, quoteName, quoteText } from '../../storage/index.ts';
import type { NamedSchema } from './arm-schema.ts';
import { IS_ANSWERED, structNames } from './log-columns.ts';
import type { LogRange } from './log-parts.ts';
import { inRange, type LogRelation } from './log-relation.ts';
import { askLog } from './query-log.ts';

export interface SpineOrder extends LogRange {
  readonly directory: string;
  readonly endpoint: string;
  /** The Parquet file to write; one that is there is replaced once the new one is whole. */
  readonly out: string;
  /** Name of the column with the outcomes. */
  readonly label: string;
  /** Leaves predictions without an outcome out. */
  readonly isLabelled: boolean;
}

export interface WrittenSpine {
  readonly rows: number;
  /** Of them those that have an outcome. */
  readonly labelled: number;
  /** Predictions that are not in it, since a column of their request was cut, replaced or redacted in the log. */
  readonly altered: number;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

const OWN = ['predicted_at', 'prediction_id'];

/**
 * Columns: those of the request in their types, `predicted_at`, the label, `prediction_id`. The label is BOOLEAN where all
 * outcomes are, BIGINT or DOUBLE where all are numbers or booleans, else VARCHAR; null without one. Throws HR_USAGE where
 * nothing was predicted or two columns have one name, and as `queryPredictionLog` does.
 */
export async function writeSpine(duckdb: DuckDb, order: SpineOrder): Promise<WrittenSpine> {
  return askLog(duckdb, order, (connection, log) => write(connection, log, order));
}

async function write(connection: DuckDBConnection, log: LogRelation, order: SpineOrder): Promise<WrittenSpine> {
  const { out, label, endpoint, isLabelled } = order;
  const parts = log.typed.filter(({ named }) => named.schema.endpoint === endpoint);
  const requests = parts.map(({ named, sql }) => requestsSql(named, sql, order));
  if (requests.length === 0) throw nothing(order);
  checkNames(
    parts.map(({ named }) => named),
    label,
  );
  await connection.run(
    `CREATE TEMP TABLE hr_spine AS SELECT * FROM (${requests.join(' UNION ALL BY NAME ')}) requests`,
  );
  await connection.run(
    `CREATE TEMP TABLE hr_spine_outcomes AS SELECT prediction_id, outcome FROM (${log.outcomes}) WHERE endpoint = ${quoteText(endpoint)}`,
  );
  const [[logged = 0n, altered = 0n] = []] = (
    await connection.runAndReadAll('SELECT count(*), count(*) FILTER (hr_altered) FROM hr_spine')
  ).getRows() as bigint[][];
  if (logged === 0n) throw nothing(order);
  const value = labelSql(await outcomeKinds(connection));
  const rows = `SELECT requests.* EXCLUDE (hr_altered, prediction_id, predicted_at), requests.predicted_at, ${value} AS ${quoteName(label)}, \
requests.prediction_id FROM hr_spine requests ${isLabelled ? 'JOIN' : 'LEFT JOIN'} hr_spine_outcomes outcomes USING (prediction_id) \
WHERE NOT hr_altered${isLabelled ? ' AND outcome IS NOT NULL' : ''} ORDER BY requests.predicted_at, requests.prediction_id`;
  const temporary = `${out}.${randomBytes(6).toString('hex')}.part`;
  try {
    await connection.run(`COPY (${rows}) TO ${quoteText(temporary)} (FORMAT parquet, COMPRESSION zstd)`);
    const told = await describe(connection, temporary, label);
    await syncPath(temporary);
    await rename(temporary, out);
    await syncPath(dirname(out));
    return { ...told, altered: Number(altered) };
  } finally {
    await rm(temporary, { force: true });
  }
}

// A column that some of the schemas have not is null in their rows.
function requestsSql(named: NamedSchema, sql: string, range: LogRange): string {
  const members = structNames(named, 'request');
  const columns = named.schema.requestFields.map(
    ({ name }, at) => `request.${quoteName(members[at] as string)} AS ${quoteName(name)}`,
  );
  const ofRequest = `EXISTS (SELECT 1 FROM unnest(json_keys(altered)) keys(key) WHERE starts_with(key, 'request.'))`;
  return `SELECT ${[...columns, 'predicted_at', 'prediction_id', `altered IS NOT NULL AND ${ofRequest} AS hr_altered`].join(', ')} \
FROM (${inRange(`SELECT * FROM ${sql}`, range)}) WHERE ${IS_ANSWERED}`;
}

function checkNames(schemas: readonly NamedSchema[], label: string): void {
  const names = new Set(schemas.flatMap(({ schema }) => schema.requestFields.map(({ name }) => name)));
  for (const name of [...names, ...OWN]) {
    if (name.toLowerCase() !== label.toLowerCase()) continue;
    throw new HeadraceError(
      'HR_USAGE',
      `the spine has a column "${name}" already: give the label another name by --label.`,
    );
  }
  const own = OWN.find((column) => names.has(column));
  if (own === undefined) return;
  throw new HeadraceError(
    'HR_USAGE',
    `the endpoint's requests have a column "${own}", which the spine names for itself.`,
  );
}

async function outcomeKinds(connection: DuckDBConnection): Promise<readonly string[]> {
  const found = await connection.runAndReadAll(
    'SELECT DISTINCT json_type(outcome) FROM hr_spine_outcomes SEMI JOIN hr_spine USING (prediction_id) WHERE outcome IS NOT NULL',
  );
  return found.getRows().map(([kind]) => String(kind));
}

const WHOLE = ['UBIGINT', 'BIGINT'];

function labelSql(kinds: readonly string[]): string {
  const are = (known: readonly string[]): boolean => kinds.every((kind) => known.includes(kind));
  if (kinds.length > 0 && are(['BOOLEAN'])) return 'outcome::BOOLEAN';
  if (kinds.length > 0 && are(WHOLE)) return 'outcome::BIGINT';
  return are([...WHOLE, 'DOUBLE', 'BOOLEAN']) ? 'outcome::DOUBLE' : "outcome->>'$'";
}

async function describe(
  connection: DuckDBConnection,
  file: string,
  label: string,
): Promise<Omit<WrittenSpine, 'altered'>> {
  const from = `read_parquet(${quoteText(file)})`;
  const counted = await connection.runAndReadAll(
    `SELECT count(*)::INTEGER, count(${quoteName(label)})::INTEGER FROM ${from}`,
  );
  const [rows, labelled] = counted.getRows()[0] as [number, number];
  const described = await connection.runAndReadAll(
    `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${from})`,
  );
  const columns = described.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }));
  return { rows, labelled, columns };
}

function nothing({ endpoint }: SpineOrder): HeadraceError {
  return new HeadraceError('HR_USAGE', `the log has no prediction of "${endpoint}" in that time.`);
}
