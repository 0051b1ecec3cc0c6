// DuckDB's vectors to and from our values, a column at a time: no row objects, no look-up of types per value.

import {
  type DuckDBArrayValue,
  type DuckDBBlobValue,
  type DuckDBListValue,
  type DuckDBValue,
  DuckDBTimestampValue,
  type DuckDBVector,
  arrayValue,
  blobValue,
  listValue,
} from '@duckdb/node-api';
import { type DataType, microsOfTime, timeOfMicros, type Value } from '../../core/index.ts';

/** Gives the value at a row of the chunk whose vector it was made for. */
export type ValueReader = (row: number) => Value;

/** A reader of a column of `type`. The vector is of `duckType(type)`. */
export function readerOf(vector: DuckDBVector, type: DataType): ValueReader {
  switch (type.kind) {
    case 'timestamp':
      return (row) => fromDuck(type, vector.getItem(row));
    case 'list':
    case 'vector':
    case 'bytes':
    case 'float32':
      return (row) => fromDuck(type, vector.getItem(row));
    default:
      // These types' items are our values already: boolean, number, bigint, string, null.
      return (row) => vector.getItem(row) as Value;
  }
}

/** A value as DuckDB's node API gives it, as ours. */
export function fromDuck(type: DataType, value: DuckDBValue): Value {
  if (value === null || value === undefined) return null;
  switch (type.kind) {
    case 'timestamp':
      // An infinity, which only an event time can be, is no value.
      return timeOfMicros((value as DuckDBTimestampValue).micros) ?? null;
    case 'bytes':
      return new Uint8Array((value as DuckDBBlobValue).bytes);
    case 'list':
      return (value as DuckDBListValue).items.map((item) => fromDuck(type.of, item));
    case 'vector':
      return Float32Array.from((value as DuckDBArrayValue).items as readonly number[]);
    default:
      return value as Value;
  }
}

/** Our value as DuckDB's node API takes it. */
export function toDuck(type: DataType, value: Value): DuckDBValue {
  if (value === null) return null;
  switch (type.kind) {
    case 'timestamp':
      return new DuckDBTimestampValue(microsOfTime(value as number));
    case 'bytes':
      return blobValue(value as Uint8Array);
    case 'list':
      return listValue((value as readonly Value[]).map((item) => toDuck(type.of, item)));
    case 'vector':
      return arrayValue(Array.from(value as Float32Array));
    default:
      return value as DuckDBValue;
  }
}

/**
 * The data of a vector of plain numbers, in place. The node API keeps it in `items`, which its types call private;
 * reading it as it lies is what makes a replay fast, and the tests of the replays fail should that change.
 */
export function numbersOf<T extends Int32Array | Uint8Array | Float32Array | Float64Array>(vector: DuckDBVector): T {
  return (vector as unknown as { items: T }).items;
}
