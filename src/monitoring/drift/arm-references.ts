// The references of an arm: of its features the training set of its model version; of what no training set has, its outputs,
// the arm's own first windows.

import type { DuckDBConnection } from '@duckdb/node-api';
import { messageOf, type Micros } from '../../core/index.ts';
import { quoteName, quoteText } from '../../storage/index.ts';
import { buildReference } from './build-reference.ts';
import { type LoggedArm, type LoggedColumn, loadRows, loggedValue } from './count-window.ts';
import type { DriftStore } from './drift-store.ts';
import type { Window } from './plan-windows.ts';
import type { Reference } from './reference.ts';
import type { WatchedFeature, WatchedVersion } from './watched.ts';

/** An arm's own windows are a reference once there are so many; at most so many are taken. */
export const LEAST_FIRST_WINDOWS = 6;
const MOST_FIRST_WINDOWS = 24;

const MICROS_PER_DAY = 86_400_000_000;

/** Null with why, where the file can't be read. */
export async function trainingReference(
  connection: DuckDBConnection,
  store: DriftStore,
  {
    trainingSet,
    features,
  }: Pick<WatchedVersion, 'features'> & { trainingSet: NonNullable<WatchedVersion['trainingSet']> },
  now: Micros,
): Promise<Reference | string> {
  const { id, path, timestamp, rows } = trainingSet;
  const had = await store.reference(id);
  if (had !== undefined) return had;
  try {
    const relation = `read_parquet(${quoteText(path)})`;
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${relation}`);
    const columns = new Set(described.getRowsJS().map(([name]) => String(name)));
    const watched = features.filter(({ name }) => columns.has(name));
    const day = columns.has(timestamp)
      ? `epoch_us(${quoteName(timestamp)}::TIMESTAMPTZ) // ${MICROS_PER_DAY}`
      : 'NULL::BIGINT';
    const made = await buildReference(
      connection,
      relation,
      day,
      watched.map((feature) => ({ ...feature, value: columnValue(feature) })),
    );
    const reference: Reference = { id, source: 'training set', rows, untilMicros: null, features: made };
    await store.saveReference(reference, now);
    return reference;
  } catch (thrown) {
    return `the training set ${id} can not be read: ${messageOf(thrown)}`;
  }
}

const columnValue = ({ name, kind }: WatchedFeature): string =>
  `${quoteName(name)}::${kind === 'number' ? 'DOUBLE' : 'VARCHAR'}`;

export interface FirstWindows {
  readonly endpoint: string;
  readonly arm: LoggedArm;
  readonly size: Micros;
  readonly hasUnits: boolean;
  readonly column: LoggedColumn;
  readonly features: readonly WatchedFeature[];
}

export const firstWindowsId = ({ endpoint, arm, size, column }: Omit<FirstWindows, 'features' | 'hasUnits'>): string =>
  `${column}/${endpoint}/${arm.variant}/${arm.model}/${arm.version}/${size}`;

/** Undefined while there are too few of them. */
export async function firstWindowsReference(
  connection: DuckDBConnection,
  store: DriftStore,
  first: FirstWindows,
  planned: readonly Window[],
  now: Micros,
): Promise<Reference | undefined> {
  const id = firstWindowsId(first);
  const had = await store.reference(id);
  if (had !== undefined || planned.length < LEAST_FIRST_WINDOWS) return had;
  const taken = planned.slice(0, MOST_FIRST_WINDOWS);
  const [from, to] = [(taken[0] as Window).from, (taken.at(-1) as Window).to];
  const rows = taken.reduce((sum, window) => sum + window.rows, 0);
  const names = first.features.map(({ name }) => name);
  const both = { features: [], outputs: [], [first.column]: names };
  await loadRows(connection, first.arm, { from, to }, both, { hasUnits: first.hasUnits, size: first.size, rows });
  const columns = first.features.map((feature, place) => ({
    ...feature,
    value: loggedValue(first.column, place, feature.kind),
  }));
  const features = await buildReference(connection, 'drift_rows', 'slot', columns);
  const reference: Reference = { id, source: 'first windows', rows, untilMicros: to, features };
  await store.saveReference(reference, now);
  return reference;
}

/** What the arm's outputs are, as the log has them. */
export async function loggedOutputs(connection: DuckDBConnection, arm: LoggedArm): Promise<WatchedFeature[]> {
  const sql = `SELECT name, list(DISTINCT kind) FROM (
  SELECT name, json_type(outputs, '$."' || name || '"') AS kind FROM (
    SELECT outputs, unnest(json_keys(outputs)) AS name FROM (
      SELECT outputs FROM predictions WHERE variant = ${quoteText(arm.variant)} AND model = ${quoteText(arm.model)}
        AND version = ${arm.version} LIMIT 1000)))
WHERE kind IS NOT NULL AND kind != 'NULL' AND name NOT LIKE '%"%' GROUP BY name ORDER BY name LIMIT ${MOST_OUTPUTS}`;
  const rows = (await connection.runAndReadAll(sql)).getRowsJS() as [string, string[]][];
  return rows.map(([name, kinds]) => ({ name, kind: kindOfJson(kinds), isWindow: false }));
}

const MOST_OUTPUTS = 20;

function kindOfJson(kinds: readonly string[]): WatchedFeature['kind'] {
  if (kinds.every((kind) => kind === 'DOUBLE' || /INT/.test(kind))) return 'number';
  return kinds.every((kind) => kind === 'VARCHAR' || kind === 'BOOLEAN') ? 'category' : 'opaque';
}
