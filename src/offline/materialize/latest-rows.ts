// Winners' rows of a chunk, as the packer takes them.

import type { DuckDBDataChunk, DuckDBVector } from '@duckdb/node-api';
import type { DataType } from '../../core/index.ts';
import type { ViewCodec } from '../../online/index.ts';
import { numbersOf, readerOf } from '../duckdb/vector-values.ts';
import type { ColumnValues, LatestRows } from './base-packer.ts';
import { columnType, streamedType } from './fact-sql.ts';
import { FILE_ORDER, orderReader } from './row-order.ts';

/** `first` is the index of the first of `winnerColumns`. */
export function readLatestRows(chunk: DuckDBDataChunk, first: number, codec: ViewCodec): LatestRows {
  const { source, latestColumns } = codec;
  const size = chunk.rowCount;
  const deleted = readerOf(chunk.getColumnVector(first + 2), { kind: 'bool' });
  const ordered = orderReader(chunk, first + 3, source);
  const firstColumn = first + 5 + (source.createdOrder === undefined ? 0 : 1);
  return {
    size,
    eventMicros: numbersOf<Float64Array>(chunk.getColumnVector(first)),
    knownMicros: numbersOf<Float64Array>(chunk.getColumnVector(first + 1)),
    orders: ordersOf(ordered, size),
    isDeleted: source.tombstone === undefined ? () => false : (row) => deleted(row) === true,
    columns: latestColumns.map((name, i) =>
      columnValues(chunk.getColumnVector(firstColumn + i), columnType(source, name)),
    ),
  };
}

function ordersOf(read: (row: number) => Uint8Array, size: number): Uint8Array[] {
  const orders = new Array<Uint8Array>(size).fill(FILE_ORDER);
  for (let row = 0; row < size; row++) orders[row] = read(row);
  return orders;
}

function columnValues(vector: DuckDBVector, type: DataType): ColumnValues {
  const read = readerOf(vector, streamedType(type));
  const isDouble = type.kind === 'float64' || type.kind === 'timestamp';
  return isDouble && hasNoNull(vector) ? { read, numbers: numbersOf<Float64Array>(vector) } : { read };
}

/** The node API keeps a vector's validity in a field that its types call private; no data there is no null. */
function hasNoNull(vector: DuckDBVector): boolean {
  return (vector as unknown as { validity: { data: unknown } }).validity.data === null;
}
