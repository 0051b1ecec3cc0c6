// Counts a window of the log by the bins of a reference. A unit's rows share its one vote where the endpoint has units.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Micros } from '../../core/index.ts';
import { quoteText, quoteTime } from '../../storage/index.ts';
import { binSql } from './bin-sql.ts';
import { LEAST_UNITS, type Slot } from './plan-windows.ts';
import { type FeatureReference, MOST_FRESH, type WindowCounts } from './reference.ts';

export interface LoggedArm {
  readonly variant: string;
  readonly model: string;
  readonly version: number;
}

/** Rows of one window that are looked at; of more, those that a hash of their ids picks. */
const MOST_ROWS = 200_000;

/** SQL of a row's unit: the row itself where the endpoint has none, or the row has none. */
export function unitSql(hasUnits: boolean): string {
  if (!hasUnits) return 'prediction_id';
  const isNone = `unit IS NULL OR len(list_filter(unit, lambda u: u IS NOT NULL AND u NOT IN ('', 'null', '0', 'false'))) = 0`;
  return `CASE WHEN ${isNone} THEN 'row ' || prediction_id ELSE 'unit ' || array_to_string(unit, chr(31)) END`;
}

/** What the log has of each arm of the endpoint, by hour or day. */
export async function loggedSlots(
  connection: DuckDBConnection,
  size: Micros,
  hasUnits: boolean,
): Promise<{ readonly arm: LoggedArm; readonly slots: readonly Slot[] }[]> {
  const slot = `epoch_us(predicted_at) // ${size}`;
  const sql = `WITH units AS (
  SELECT variant, model, version, ${slot} AS slot, ${unitSql(hasUnits)} AS u, count(*) AS n FROM predictions GROUP BY ALL)
SELECT variant, model, version, slot::DOUBLE, sum(n)::DOUBLE, count(*)::DOUBLE,
  CASE WHEN count(*) < ${LEAST_UNITS} THEN list(u) END
FROM units GROUP BY variant, model, version, slot ORDER BY variant, model, version, slot`;
  const rows = (await connection.runAndReadAll(sql)).getRowsJS() as [
    string,
    string,
    number,
    number,
    number,
    number,
    string[] | null,
  ][];
  const arms = new Map<string, { readonly arm: LoggedArm; readonly slots: Slot[] }>();
  for (const [variant, model, version, at, count, units, unitKeys] of rows) {
    const key = `${variant} ${model} ${version}`;
    const own = arms.get(key) ?? { arm: { variant, model, version }, slots: [] };
    arms.set(key, own);
    own.slots.push({ from: at * size, rows: count, units, unitKeys });
  }
  return [...arms.values()];
}

export type LoggedColumn = 'features' | 'outputs';

/** Loads an arm's rows of a time into the table `drift_rows`: `slot`, `weight`, and values and statuses as lists of text. */
export async function loadRows(
  connection: DuckDBConnection,
  arm: LoggedArm,
  { from, to }: { readonly from: Micros; readonly to: Micros },
  names: Readonly<Record<LoggedColumn, readonly string[]>>,
  { hasUnits, size, rows }: { readonly hasUnits: boolean; readonly size: Micros; readonly rows: number },
): Promise<{ readonly units: number }> {
  const paths = (of: readonly string[]): string =>
    `[${of.map((name) => quoteText(`$.${JSON.stringify(name)}`)).join(', ')}]`;
  const texts = (column: string, of: readonly string[]): string =>
    of.length === 0 ? '[]::VARCHAR[]' : `json_extract_string(${column}, ${paths(of)})`;
  const step = Math.max(1, Math.ceil(rows / MOST_ROWS));
  const conditions = [
    `variant = ${quoteText(arm.variant)}`,
    `model = ${quoteText(arm.model)}`,
    `version = ${arm.version}`,
    `predicted_at >= ${quoteTime(from)}`,
    `predicted_at < ${quoteTime(to)}`,
    ...(step === 1 ? [] : [`hash(prediction_id) % ${step} = 0`]),
  ];
  await connection.run(`CREATE OR REPLACE TEMP TABLE drift_rows AS
SELECT slot, u, 1.0::DOUBLE / count(*) OVER (PARTITION BY u) AS weight, f, s, o FROM (
  SELECT epoch_us(predicted_at) // ${size} AS slot, ${unitSql(hasUnits)} AS u, ${texts('features', names.features)} AS f,
    ${texts('statuses', names.features)} AS s, ${texts('outputs', names.outputs)} AS o
  FROM predictions WHERE ${conditions.join(' AND ')})`);
  const counted = await connection.runAndReadAll('SELECT count(DISTINCT u)::DOUBLE FROM drift_rows');
  const [units = 0] = (counted.getRowsJS()[0] ?? []) as number[];
  return { units };
}

export const loggedValue = (column: LoggedColumn, place: number, kind: FeatureReference['kind']): string => {
  const text = `${column === 'features' ? 'f' : 'o'}[${place + 1}]`;
  return kind === 'number' ? `TRY_CAST(${text} AS DOUBLE)` : text;
};

/** Counts one feature or output of the rows that were loaded. */
export async function countLoaded(
  connection: DuckDBConnection,
  column: LoggedColumn,
  place: number,
  reference: FeatureReference,
): Promise<WindowCounts> {
  const value = loggedValue(column, place, reference.kind);
  // Outputs have no status: one that is null was none, or is redacted.
  const status = column === 'features' ? `coalesce(s[${place + 1}], 'PRESENT')` : `'PRESENT'`;
  const sql = `SELECT ${status}, ${binSql(reference, value)}, sum(weight), count(*)::DOUBLE FROM drift_rows GROUP BY 1, 2`;
  const found = (await connection.runAndReadAll(sql)).getRowsJS() as [string, number | null, number, number][];
  const bins = new Array<number>(reference.counts.length - 1).fill(0);
  let [absent, invalid, rows, missing, nulls, empty] = [0, 0, 0, 0, 0, 0];
  for (const [state, bin, weight, count] of found) {
    // No value, and no word of why: it is redacted in the log, or cut.
    if (bin === null && state === 'PRESENT') continue;
    rows += count;
    if (MISSING.has(state)) missing += count;
    else if (state === 'NULL_VALUE' && reference.isWindow) empty += count;
    else if (state === 'NULL_VALUE') nulls += count;
    if (state === 'INVALID') invalid += weight;
    else if (bin === null) absent += weight;
    else bins[bin] = (bins[bin] as number) + weight;
  }
  const fresh =
    reference.known === null || reference.kind !== 'category'
      ? []
      : await freshValues(connection, value, reference.known);
  return { bins, absent, invalid, rows, missing, nulls, empty, fresh };
}

const MISSING: ReadonlySet<string> = new Set(['NOT_FOUND', 'OUTSIDE_MAX_AGE', 'INVALID']);

async function freshValues(
  connection: DuckDBConnection,
  value: string,
  known: readonly string[],
): Promise<readonly (readonly [string, number])[]> {
  const list = known.length === 0 ? '' : `AND v NOT IN (${known.map(quoteText).join(', ')})`;
  const sql = `SELECT left(v, 100), count(*)::DOUBLE FROM (SELECT ${value} AS v FROM drift_rows) WHERE v IS NOT NULL ${list}
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${MOST_FRESH}`;
  return (await connection.runAndReadAll(sql)).getRowsJS() as [string, number][];
}
