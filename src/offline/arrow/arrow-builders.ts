// Columns of DuckDB as Arrow's, gathered a chunk at a time: plain numbers are copied as they lie, int64 and timestamps exactly.

import {
  type DuckDBArrayValue,
  type DuckDBBlobValue,
  type DuckDBDecimalValue,
  type DuckDBListValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
  type DuckDBVector,
} from '@duckdb/node-api';
import {
  Binary,
  Bool,
  type Data,
  type DataType,
  DateDay,
  Decimal,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  Int8,
  List,
  makeData,
  TimeMicrosecond,
  Timestamp,
  TimeUnit,
  Uint16,
  Uint32,
  Uint64,
  Uint8,
  Utf8,
} from 'apache-arrow';
import { numbersOf } from '../duckdb/vector-values.ts';
import { createValidity, isValidAt, validityOf } from './validity.ts';

/** Gathers the rows of one column for one record batch, then for the next. */
export interface ArrowBuilder {
  readonly type: DataType;
  /** All rows of a chunk's column. */
  take(vector: DuckDBVector, size: number): void;
  push(value: DuckDBValue): void;
  /** What was gathered. */
  finish(): Data;
}

type Numbers =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array;
type NumbersMaker = new (length: number) => Numbers;

/** Undefined for a type of which there is none: it is to be cast to text. `isInstant`: a timestamp without a zone is one of UTC. */
export function builderOf(type: DuckDBType, isInstant: boolean): ArrowBuilder | undefined {
  const plain = plainOf(type, isInstant);
  if (plain !== undefined) return numberBuilder(...plain);
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return boolBuilder();
    case DuckDBTypeId.VARCHAR:
      return bytesBuilder(new Utf8(), (value) => Buffer.from(value as string));
    case DuckDBTypeId.BLOB:
      return bytesBuilder(new Binary(), (value) => (value as DuckDBBlobValue).bytes);
    case DuckDBTypeId.DECIMAL:
      return decimalBuilder(new Decimal(type.scale, type.width));
    case DuckDBTypeId.LIST: {
      const of = builderOf(type.valueType, isInstant);
      return of === undefined ? undefined : listBuilder(of);
    }
    case DuckDBTypeId.ARRAY: {
      const of = builderOf(type.valueType, isInstant);
      return of === undefined ? undefined : fixedListBuilder(of, type.length);
    }
    default:
      return undefined;
  }
}

function plainOf(
  type: DuckDBType,
  isInstant: boolean,
): [DataType, NumbersMaker, ((value: DuckDBValue) => number | bigint)?] | undefined {
  switch (type.typeId) {
    case DuckDBTypeId.TINYINT:
      return [new Int8(), Int8Array];
    case DuckDBTypeId.SMALLINT:
      return [new Int16(), Int16Array];
    case DuckDBTypeId.INTEGER:
      return [new Int32(), Int32Array];
    case DuckDBTypeId.BIGINT:
      return [new Int64(), BigInt64Array];
    case DuckDBTypeId.UTINYINT:
      return [new Uint8(), Uint8Array];
    case DuckDBTypeId.USMALLINT:
      return [new Uint16(), Uint16Array];
    case DuckDBTypeId.UINTEGER:
      return [new Uint32(), Uint32Array];
    case DuckDBTypeId.UBIGINT:
      return [new Uint64(), BigUint64Array];
    case DuckDBTypeId.FLOAT:
      return [new Float32(), Float32Array];
    case DuckDBTypeId.DOUBLE:
      return [new Float64(), Float64Array];
    case DuckDBTypeId.DATE:
      return [new DateDay(), Int32Array, (value) => (value as { readonly days: number }).days];
    case DuckDBTypeId.TIME:
      return [new TimeMicrosecond(), BigInt64Array, microsOf];
    case DuckDBTypeId.TIMESTAMP:
      return [new Timestamp(TimeUnit.MICROSECOND, isInstant ? 'UTC' : null), BigInt64Array, microsOf];
    case DuckDBTypeId.TIMESTAMP_TZ:
      return [new Timestamp(TimeUnit.MICROSECOND, 'UTC'), BigInt64Array, microsOf];
    case DuckDBTypeId.TIMESTAMP_NS:
      return [
        new Timestamp(TimeUnit.NANOSECOND, null),
        BigInt64Array,
        (value) => (value as { readonly nanos: bigint }).nanos,
      ];
    default:
      return undefined;
  }
}

const microsOf = (value: DuckDBValue): bigint => (value as { readonly micros: bigint }).micros;
const asItIs = (value: DuckDBValue): number | bigint => value as number | bigint;

const FIRST_ROWS = 65_536;
/** Longest text or blob that lies within a vector. */
const INLINE_BYTES = 12;

function grown<T extends Numbers>(numbers: T, length: number): T {
  const larger = new (numbers.constructor as NumbersMaker)(length) as T;
  // Of one kind.
  (larger as Uint8Array).set(numbers as Uint8Array);
  return larger;
}

function numberBuilder(type: DataType, Maker: NumbersMaker, toNumber = asItIs): ArrowBuilder {
  let values = new Maker(FIRST_ROWS);
  let validity = createValidity();
  let rows = 0;
  const room = (more: number): void => {
    while (rows + more > values.length) values = grown(values, values.length * 2);
  };
  return {
    type,
    take(vector, size) {
      room(size);
      // Of the same kind as `values`: see `plainOf`.
      (values as Uint8Array).set(numbersOf<Uint8Array>(vector).subarray(0, size), rows);
      rows += size;
      validity.take(validityOf(vector), size);
    },
    push(value) {
      room(1);
      validity.add(value !== null);
      (values as unknown as (number | bigint)[])[rows++] =
        value === null ? (ZEROS.has(Maker) ? 0n : 0) : toNumber(value);
    },
    finish() {
      const data = makeData({
        // Numbers all: their data is made alike.
        type: type as Int32,
        length: rows,
        nullCount: validity.nulls,
        nullBitmap: validity.bitmap(),
        data: values.slice(0, rows) as Int32Array,
      });
      [rows, validity] = [0, createValidity()];
      return data;
    },
  };
}

const ZEROS: ReadonlySet<unknown> = new Set([BigInt64Array, BigUint64Array]);

function decimalBuilder(type: Decimal): ArrowBuilder {
  // Four words of 32 bits, the least first.
  const words = numberBuilder(new Uint32(), Uint32Array);
  let validity = createValidity();
  const push = (value: DuckDBValue): void => {
    validity.add(value !== null);
    let left = value === null ? 0n : (value as DuckDBDecimalValue).value;
    for (let word = 0; word < 4; word++, left >>= 32n) words.push(Number(BigInt.asUintN(32, left)));
  };
  return {
    type,
    push,
    take: pushEach(push),
    finish() {
      const data = words.finish().values as Uint32Array;
      const { rows, nulls } = validity;
      const made = makeData({ type, length: rows, nullCount: nulls, nullBitmap: validity.bitmap(), data });
      validity = createValidity();
      return made;
    },
  };
}

function boolBuilder(): ArrowBuilder {
  let values = createValidity();
  let validity = createValidity();
  let rows = 0;
  const push = (value: DuckDBValue): void => {
    validity.add(value !== null);
    values.add(value === true);
    rows++;
  };
  return {
    type: new Bool(),
    push,
    take: pushEach(push),
    finish() {
      const bits = values.bitmap() ?? new Uint8Array(Math.ceil(rows / 64) * 8).fill(255);
      const data = makeData({
        type: new Bool(),
        length: rows,
        nullCount: validity.nulls,
        nullBitmap: validity.bitmap(),
        data: bits,
      });
      [rows, values, validity] = [0, createValidity(), createValidity()];
      return data;
    },
  };
}

const pushEach =
  (push: (value: DuckDBValue) => void): ArrowBuilder['take'] =>
  (vector, size) => {
    for (let row = 0; row < size; row++) push(vector.getItem(row));
  };

function bytesBuilder(type: Utf8 | Binary, toBytes: (value: DuckDBValue) => Uint8Array): ArrowBuilder {
  let bytes = new Uint8Array(FIRST_ROWS * 8);
  let validity = createValidity();
  let offsets: number[] = [0];
  let end = 0;
  const room = (more: number): void => {
    while (end + more > bytes.length) bytes = grown(bytes, bytes.length * 2);
  };
  const push = (value: DuckDBValue): void => {
    validity.add(value !== null);
    if (value !== null) {
      const more = toBytes(value);
      room(more.length);
      bytes.set(more, end);
      end += more.length;
    }
    offsets.push(end);
  };
  const take = (vector: DuckDBVector, size: number): void => {
    const valid = validityOf(vector);
    const { dataView } = vector as unknown as { readonly dataView: DataView };
    for (let row = 0; row < size; row++) {
      if (isValidAt(valid, row)) {
        // As DuckDB has it: a length, then short ones as they are, and of longer ones where they lie.
        const length = dataView.getUint32(row * 16, true);
        const long = length > INLINE_BYTES ? toBytes(vector.getItem(row)) : undefined;
        room(length);
        if (long === undefined)
          for (let at = 0; at < length; at++) bytes[end + at] = dataView.getUint8(row * 16 + 4 + at);
        else bytes.set(long, end);
        end += length;
      }
      offsets.push(end);
    }
    validity.take(valid, size);
  };
  return {
    type,
    push,
    take,
    finish() {
      const data = makeData({
        // Both are offsets into bytes.
        type: type as Utf8,
        length: offsets.length - 1,
        nullCount: validity.nulls,
        nullBitmap: validity.bitmap(),
        valueOffsets: Int32Array.from(offsets),
        data: bytes.slice(0, end),
      });
      [offsets, end, validity] = [[0], 0, createValidity()];
      return data;
    },
  };
}

function listBuilder(of: ArrowBuilder): ArrowBuilder {
  const type = new List(new Field('item', of.type, true));
  let validity = createValidity();
  let offsets: number[] = [0];
  const push = (value: DuckDBValue): void => {
    validity.add(value !== null);
    const items = value === null ? [] : (value as DuckDBListValue).items;
    for (const item of items) of.push(item);
    offsets.push((offsets.at(-1) ?? 0) + items.length);
  };
  return {
    type,
    push,
    take: pushEach(push),
    finish() {
      const data = makeData({
        type,
        length: offsets.length - 1,
        nullCount: validity.nulls,
        nullBitmap: validity.bitmap(),
        valueOffsets: Int32Array.from(offsets),
        child: of.finish(),
      });
      [offsets, validity] = [[0], createValidity()];
      return data;
    },
  };
}

function fixedListBuilder(of: ArrowBuilder, size: number): ArrowBuilder {
  const type = new FixedSizeList(size, new Field('item', of.type, true));
  let validity = createValidity();
  let rows = 0;
  const push = (value: DuckDBValue): void => {
    validity.add(value !== null);
    const items = value === null ? [] : (value as DuckDBArrayValue).items;
    for (let at = 0; at < size; at++) of.push(items[at] ?? null);
    rows++;
  };
  return {
    type,
    push,
    take: pushEach(push),
    finish() {
      const data = makeData({
        type,
        length: rows,
        nullCount: validity.nulls,
        nullBitmap: validity.bitmap(),
        child: of.finish(),
      });
      [rows, validity] = [0, createValidity()];
      return data;
    },
  };
}
