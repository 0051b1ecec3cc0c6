// The order of a row among those that tie with it in time, from a stream's columns.

import type { DuckDBDataChunk } from '@duckdb/node-api';
import { encodeOrder } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { quoteName } from '../../storage/index.ts';
import { numbersOf, readerOf } from '../duckdb/vector-values.ts';
import { columnType, streamed, streamedType } from './fact-sql.ts';

/** Of all rows of files where the source names no created order. */
export const FILE_ORDER = encodeOrder(undefined, undefined);

/** Columns of a stream that tell the order, to be read by `orderReader` from the first one's index on. */
export function orderColumns(source: SourceSpec): string[] {
  const { createdOrder } = source;
  const places = ['coalesce(__hr_writer, -1)', 'CAST(coalesce(__hr_offset, -1) AS DOUBLE)'];
  if (createdOrder === undefined) return places;
  return [...places, streamed(quoteName(createdOrder), columnType(source, createdOrder))];
}

export type OrderReader = (row: number) => Uint8Array;

export function orderReader(chunk: DuckDBDataChunk, first: number, source: SourceSpec): OrderReader {
  const writers = numbersOf<Int32Array>(chunk.getColumnVector(first));
  const offsets = numbersOf<Float64Array>(chunk.getColumnVector(first + 1));
  const placeOf = (row: number) => {
    const writer = writers[row] as number;
    return writer < 0 ? undefined : { writer, offset: offsets[row] as number };
  };
  const { createdOrder } = source;
  if (createdOrder === undefined) {
    return (row) => ((writers[row] as number) < 0 ? FILE_ORDER : encodeOrder(undefined, placeOf(row)));
  }
  const type = columnType(source, createdOrder);
  const created = readerOf(chunk.getColumnVector(first + 2), streamedType(type));
  return (row) => encodeOrder({ type, value: created(row) }, placeOf(row));
}
