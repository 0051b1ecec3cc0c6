// Rows of a Parquet file as a model takes them: a service's features by their types, and other columns beside them.

import type { DuckDBConnection } from '@duckdb/node-api';
import { didYouMean, type Field, HeadraceError, type Value } from '../../core/index.ts';
import { quoteName, quoteText } from '../../storage/index.ts';
import { fromDuck } from '../duckdb/vector-values.ts';
import { queryWork } from '../sources/source-errors.ts';
import { castSql } from '../sources/sql-text.ts';

interface FeatureRows {
  /** Row by row, the features in the order asked. */
  readonly features: readonly (readonly Value[])[];
  /** Row by row, the number of the column `label`, true being 1; null where it has none. */
  readonly labels: readonly (number | null)[];
  /** Row by row, the texts of the other columns. */
  readonly texts: readonly (readonly (string | null)[])[];
}

interface FeatureRowsQuery {
  readonly path: string;
  readonly features: readonly Field[];
  readonly label: string;
  readonly columns: readonly string[];
}

interface OpenFeatureRows {
  /** Whether the label is boolean by its type. */
  readonly isBoolean: boolean;
  /** In the file's order, some thousands of rows at a time. */
  readonly batches: AsyncIterable<FeatureRows>;
}

/** As many rows as a model takes at once without holding up others for long. */
const BATCH_ROWS = 4096;

/** Throws HR_SOURCE_UNREADABLE for what is no Parquet file, HR_STEP_FAILED for columns that it lacks or has of another type. */
export async function openFeatureRows(connection: DuckDBConnection, query: FeatureRowsQuery): Promise<OpenFeatureRows> {
  const { path, features, label, columns } = query;
  const { from, types, read, missing, selected } = await selectFeatures(connection, path, features);
  const labelType = types.get(label);
  if (labelType === undefined) throw missing('label', label);
  for (const column of columns) if (!types.has(column)) throw missing('column to slice by', column);
  const all = [
    ...selected,
    `TRY_CAST(${quoteName(label)} AS DOUBLE)`,
    ...columns.map((column) => `CAST(${quoteName(column)} AS VARCHAR)`),
  ];
  const stream = await read(() => connection.stream(`SELECT ${all.join(', ')} FROM ${from}`));

  async function* batches(): AsyncGenerator<FeatureRows> {
    let rows: unknown[][] = [];
    const taken = (): FeatureRows => {
      const given = rows as Parameters<typeof fromDuck>[1][][]; // rows of DuckDB's own values, as it gave them
      rows = [];
      return {
        features: given.map((row) => features.map(({ type }, at) => fromDuck(type, row[at] ?? null))),
        labels: given.map((row) => row[features.length] as number | null),
        texts: given.map((row) => row.slice(features.length + 1) as (string | null)[]),
      };
    };
    for (;;) {
      const chunk = await read(() => stream.fetchChunk());
      if (chunk === null || chunk.rowCount === 0) break;
      rows.push(...chunk.getRows());
      if (rows.length >= BATCH_ROWS) yield taken();
    }
    if (rows.length > 0) yield taken();
  }
  return { isBoolean: labelType === 'BOOLEAN', batches: batches() };
}

/** A sample is of the file's first rows, so that a large one is not read for it. */
const SAMPLED_ROWS = 4096;

/**
 * At most `rows` of the file's first rows, evenly spaced, each with the features in the order asked. Throws as
 * `openFeatureRows`.
 */
export async function sampleFeatureRows(
  connection: DuckDBConnection,
  { path, features, rows }: Pick<FeatureRowsQuery, 'path' | 'features'> & { readonly rows: number },
): Promise<(readonly Value[])[]> {
  const { from, read, selected } = await selectFeatures(connection, path, features);
  const sql = `SELECT ${selected.join(', ')} FROM ${from} LIMIT ${SAMPLED_ROWS}`;
  const result = (await read(() => connection.runAndReadAll(sql))).getRows() as Parameters<typeof fromDuck>[1][][]; // rows of DuckDB's own values
  const step = Math.max(1, Math.floor(result.length / rows));
  return result
    .filter((_, at) => at % step === 0)
    .slice(0, rows)
    .map((row) => features.map(({ type }, at) => fromDuck(type, row[at] ?? null)));
}

/** The features' columns as SQL, each of its feature's type. */
async function selectFeatures(connection: DuckDBConnection, path: string, features: readonly Field[]) {
  const from = `read_parquet(${quoteText(path)})`;
  const read = <T>(work: () => Promise<T>): Promise<T> =>
    queryWork(`the rows in ${path} cannot be read`, 'HR_SOURCE_UNREADABLE', work);
  const described = await read(() => connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`));
  const types = new Map(described.getRows().map(([name, type]) => [String(name), String(type)]));
  const missing = (what: string, name: string): HeadraceError => {
    const known = [...types.keys()];
    const sentence = `${path} has no ${what} "${name}".${didYouMean(name, known)} It has ${known.join(', ')}`;
    return new HeadraceError('HR_STEP_FAILED', sentence);
  };
  const selected = features.map(({ name, type }) => {
    const cast = castSql(quoteName(name), types.get(name) ?? '', type);
    if (types.get(name) === undefined) throw missing('feature', name);
    if (cast !== undefined) return cast;
    const sentence = `feature "${name}" in ${path} is ${types.get(name)}, and the model takes ${type.kind}`;
    throw new HeadraceError('HR_STEP_FAILED', sentence);
  });
  return { from, types, read, missing, selected };
}
