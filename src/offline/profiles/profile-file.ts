// The profile of a Parquet file's columns: one pass over the numbers as they lie, and the other columns by their values.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Field } from '../../core/index.ts';
import {
  addNumbers,
  addValue,
  type ColumnSketch,
  createColumnSketch,
  hasNumbers,
  isCountable,
  type Profile,
} from '../../profiles/index.ts';
import { quoteName, quoteText } from '../../storage/index.ts';
import { readAhead } from '../duckdb/read-ahead.ts';
import { numbersOf, readerOf } from '../duckdb/vector-values.ts';

export async function profileFile(
  connection: DuckDBConnection,
  columns: readonly Field[],
  path: string,
): Promise<Profile> {
  const from = `read_parquet(${quoteText(path)})`;
  const { rows, facts } = await countColumns(connection, columns, from);
  const sketches = columns.map(({ type }) => createColumnSketch(type));
  const isStreamed = ({ type }: Field, i: number) => hasNumbers(type) && facts[i]?.isSafe === true;
  const streamed = columns.flatMap((column, i) =>
    isStreamed(column, i) ? [{ column, sketch: sketches[i] as ColumnSketch }] : [],
  );
  if (streamed.length > 0) await streamNumbers(connection, streamed, from);
  for (const [i, column] of columns.entries()) {
    const sketch = sketches[i] as ColumnSketch;
    if (!isStreamed(column, i) && isCountable(column.type)) await groupValues(connection, column, sketch, from);
    // NaN of a stream stood for nulls and NaN alike.
    sketch.rows = rows;
    sketch.nulls = rows - (facts[i]?.present ?? 0);
    if (sketch.numbers !== null) sketch.numbers.nan = facts[i]?.nan ?? 0;
  }
  return { rows, sampled: rows, columns: new Map(columns.map(({ name }, i) => [name, sketches[i] as ColumnSketch])) };
}

interface ColumnFacts {
  readonly present: number;
  readonly nan: number;
  /** Whether each number is one that a double holds. */
  readonly isSafe: boolean;
}

async function countColumns(
  connection: DuckDBConnection,
  columns: readonly Field[],
  from: string,
): Promise<{ readonly rows: number; readonly facts: readonly ColumnFacts[] }> {
  const counts = columns.flatMap(({ name, type }) => {
    const column = quoteName(name);
    const isFloat = type.kind === 'float32' || type.kind === 'float64';
    const unsafe = `${column} NOT BETWEEN ${-Number.MAX_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER}`;
    return [
      `count(${column})`,
      isFloat ? `count(*) FILTER (WHERE isnan(${column}))` : '0',
      type.kind === 'int64' ? `count(*) FILTER (WHERE ${unsafe})` : '0',
    ];
  });
  const asked = ['count(*)', ...counts].map((sql) => `CAST(${sql} AS DOUBLE)`);
  const read = await connection.runAndReadAll(`SELECT ${asked.join(', ')} FROM ${from}`);
  const [rows = 0, ...values] = read.getRows()[0] as number[];
  const facts = columns.map((_, i): ColumnFacts => {
    const [present, nan, unsafe] = values.slice(3 * i, 3 * i + 3) as [number, number, number];
    return { present, nan, isSafe: unsafe === 0 };
  });
  return { rows, facts };
}

async function streamNumbers(
  connection: DuckDBConnection,
  streamed: readonly { readonly column: Field; readonly sketch: ColumnSketch }[],
  from: string,
): Promise<void> {
  const selected = streamed.map(({ column: { name, type } }) => {
    const number = type.kind === 'timestamp' ? `epoch_us(${quoteName(name)})` : quoteName(name);
    return `coalesce(CAST(${number} AS DOUBLE), 'nan'::DOUBLE)`;
  });
  for await (const chunk of readAhead(await connection.stream(`SELECT ${selected.join(', ')} FROM ${from}`))) {
    streamed.forEach(({ sketch }, i) => {
      addNumbers(sketch, numbersOf<Float64Array>(chunk.getColumnVector(i)), chunk.rowCount);
    });
  }
}

/** Each value once, with how often it is there: DuckDB counts, and spills where there are many. */
async function groupValues(
  connection: DuckDBConnection,
  { name, type }: Field,
  sketch: ColumnSketch,
  from: string,
): Promise<void> {
  const column = quoteName(name);
  const sql = `SELECT ${column}, CAST(count(*) AS DOUBLE) FROM ${from} WHERE ${column} IS NOT NULL GROUP BY 1`;
  for await (const chunk of readAhead(await connection.stream(sql))) {
    const value = readerOf(chunk.getColumnVector(0), type);
    const counts = numbersOf<Float64Array>(chunk.getColumnVector(1));
    for (let row = 0; row < chunk.rowCount; row++) addValue(sketch, value(row), counts[row] as number);
  }
}
