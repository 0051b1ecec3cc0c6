// Values of ours into a table of DuckDB, a chunk at a time: for rows that come from elsewhere than DuckDB.

import { type DuckDBAppender, type DuckDBConnection, DuckDBDataChunk, type DuckDBVector } from '@duckdb/node-api';
import type { DataType, Value } from '../../core/index.ts';
import { CHUNK_ROWS, nodeDuckType } from '../../storage/index.ts';
import { numbersOf, toDuck } from './vector-values.ts';

export interface RowAppender {
  /** One value a column, in the table's order. */
  add(values: readonly Value[]): void;
  /** Everything added is in the table afterwards. */
  close(): void;
}

/** For a temporary table of the connection whose columns are of `types`. */
export async function createRowAppender(
  connection: DuckDBConnection,
  table: string,
  types: readonly DataType[],
): Promise<RowAppender> {
  const appender: DuckDBAppender = await connection.createAppender(table, null, 'temp');
  const duckTypes = types.map(nodeDuckType);
  const columns = types.map((): Value[] => Array<Value>(CHUNK_ROWS).fill(null));
  let size = 0;
  const flush = (): void => {
    if (size === 0) return;
    const chunk = DuckDBDataChunk.create(duckTypes, size);
    for (const [c, type] of types.entries()) fill(chunk.getColumnVector(c), type, columns[c] as Value[], size);
    appender.appendDataChunk(chunk);
    size = 0;
  };
  return {
    add(values) {
      for (let c = 0; c < columns.length; c++) (columns[c] as Value[])[size] = values[c] ?? null;
      if (++size === CHUNK_ROWS) flush();
    },
    close() {
      flush();
      appender.closeSync();
    },
  };
}

function fill(vector: DuckDBVector, type: DataType, values: readonly Value[], size: number): void {
  switch (type.kind) {
    case 'int32':
    case 'float32':
    case 'float64': {
      const numbers = numbersOf<Int32Array | Float32Array | Float64Array>(vector);
      for (let i = 0; i < size; i++) {
        const value = values[i] as number | null;
        if (value === null) vector.setItem(i, null);
        else numbers[i] = value;
      }
      break;
    }
    default:
      for (let i = 0; i < size; i++) vector.setItem(i, toDuck(type, values[i] ?? null));
  }
  vector.flush();
}
