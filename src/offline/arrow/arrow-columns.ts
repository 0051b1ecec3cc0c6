// Columns of Arrow as DuckDB takes them: which type each becomes, and its values. Times keep their microseconds, which Arrow's own
// accessors lose; a dictionary (a categorical) becomes its values.

import {
  ARRAY,
  arrayValue,
  BIGINT,
  BLOB,
  blobValue,
  BOOLEAN,
  DATE,
  DECIMAL,
  DOUBLE,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBType,
  type DuckDBValue,
  FLOAT,
  INTEGER,
  LIST,
  listValue,
  SMALLINT,
  TIME,
  TIMESTAMP,
  TIMESTAMP_NS,
  TIMESTAMPTZ,
  TINYINT,
  UBIGINT,
  UINTEGER,
  USMALLINT,
  UTINYINT,
  VARCHAR,
} from '@duckdb/node-api';
import { type Data, DataType, Precision, TimeUnit, Vector } from 'apache-arrow';

/** The value at a row of the column that it was made for. */
export type ArrowReader = (row: number) => DuckDBValue;

export interface ArrowColumn {
  readonly type: DuckDBType;
  /** Of a column of one record batch. */
  reader(data: Data): ArrowReader;
}

/** Undefined for a type that no column of a table can be: a struct, a map, a union, a duration. */
export function columnOf(type: DataType): ArrowColumn | undefined {
  if (DataType.isDictionary(type)) {
    const of = columnOf(type.dictionary);
    return of === undefined ? undefined : { type: of.type, reader: (data) => dictionaryReader(of, data) };
  }
  if (DataType.isList(type)) {
    const of = columnOf(type.valueType);
    return of === undefined ? undefined : { type: LIST(of.type), reader: (data) => listReader(of, data) };
  }
  if (DataType.isFixedSizeList(type)) {
    const of = columnOf(type.valueType);
    const { listSize } = type;
    if (of === undefined) return undefined;
    return { type: ARRAY(of.type, listSize), reader: (data) => fixedListReader(of, listSize, data) };
  }
  return plainColumn(type);
}

function plainColumn(type: DataType): ArrowColumn | undefined {
  if (DataType.isNull(type)) return { type: VARCHAR, reader: () => () => null };
  if (DataType.isBool(type)) return asItIs(BOOLEAN);
  if (DataType.isInt(type)) return intColumn(type.bitWidth, type.isSigned);
  if (DataType.isFloat(type)) {
    // Half floats lie as whole numbers.
    if (type.precision === Precision.HALF) return asItIs(FLOAT);
    return byValue(type.precision === Precision.SINGLE ? FLOAT : DOUBLE, (value) => value as number);
  }
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return asItIs(VARCHAR);
  if (DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isFixedSizeBinary(type)) {
    return viaVector(BLOB, (value) => blobValue(value as Uint8Array));
  }
  if (DataType.isTimestamp(type)) return timestampColumn(type.unit, type.timezone);
  if (DataType.isDate(type)) {
    const toDays = (value: number | bigint): number => (typeof value === 'bigint' ? Number(value / DAY_MS) : value);
    return byValue(DATE, (value) => new DuckDBDateValue(toDays(value)));
  }
  if (DataType.isTime(type)) {
    const { unit } = type;
    return byValue(TIME, (value) => new DuckDBTimeValue(toMicros(BigInt(value), unit)));
  }
  if (DataType.isDecimal(type) && type.bitWidth === 128) return decimalColumn(type.precision, type.scale);
  return undefined;
}

const DAY_MS = 86_400_000n;

const INTS: Readonly<Record<string, DuckDBType>> = {
  true8: TINYINT,
  true16: SMALLINT,
  true32: INTEGER,
  true64: BIGINT,
  false8: UTINYINT,
  false16: USMALLINT,
  false32: UINTEGER,
  false64: UBIGINT,
};

function intColumn(bits: number, isSigned: boolean): ArrowColumn | undefined {
  const type = INTS[`${isSigned}${bits}`];
  return type === undefined ? undefined : byValue(type, (value) => value);
}

function timestampColumn(unit: TimeUnit, timezone: string | null | undefined): ArrowColumn {
  // With a zone it is an instant, whatever the zone is called.
  if (timezone !== null && timezone !== undefined && timezone !== '')
    return byValue(TIMESTAMPTZ, (value) => new DuckDBTimestampTZValue(toMicros(value as bigint, unit)));
  if (unit === TimeUnit.NANOSECOND)
    return byValue(TIMESTAMP_NS, (value) => new DuckDBTimestampNanosecondsValue(value as bigint));
  return byValue(TIMESTAMP, (value) => new DuckDBTimestampValue(toMicros(value as bigint, unit)));
}

function toMicros(value: bigint, unit: TimeUnit): bigint {
  switch (unit) {
    case TimeUnit.SECOND:
      return value * 1_000_000n;
    case TimeUnit.MILLISECOND:
      return value * 1000n;
    case TimeUnit.MICROSECOND:
      return value;
    case TimeUnit.NANOSECOND:
      // Towards the past, before 1970 too.
      return (value - (((value % 1000n) + 1000n) % 1000n)) / 1000n;
  }
}

function decimalColumn(precision: number, scale: number): ArrowColumn {
  return {
    type: DECIMAL(precision, scale),
    reader(data) {
      // Four words of 32 bits, the least first.
      const words = data.values as Uint32Array;
      const valueAt = (row: number): bigint => {
        let value = 0n;
        for (let word = 3; word >= 0; word--) value = (value << 32n) | BigInt(words[row * 4 + word] ?? 0);
        return BigInt.asIntN(128, value);
      };
      return (row) => (data.getValid(row) ? new DuckDBDecimalValue(valueAt(row), precision, scale) : null);
    },
  };
}

/** Values as they lie in the column's buffer. */
function byValue(type: DuckDBType, toDuck: (value: number | bigint) => DuckDBValue): ArrowColumn {
  return {
    type,
    reader(data) {
      const values = data.values as ArrayLike<number | bigint>;
      if (data.nullCount === 0) return (row) => toDuck(values[row] as number | bigint);
      return (row) => (data.getValid(row) ? toDuck(values[row] as number | bigint) : null);
    },
  };
}

/** Values as Arrow gives them. */
function viaVector(type: DuckDBType, toDuck: (value: unknown) => DuckDBValue): ArrowColumn {
  return {
    type,
    reader(data) {
      const vector = new Vector([data]);
      return (row) => {
        const value: unknown = vector.get(row);
        return value === null ? null : toDuck(value);
      };
    },
  };
}

/** What Arrow gives for it DuckDB takes: a text, a number, a boolean. */
const asItIs = (type: DuckDBType): ArrowColumn => viaVector(type, (value) => value as DuckDBValue);

function dictionaryReader(of: ArrowColumn, data: Data): ArrowReader {
  const values = data.dictionary === undefined ? [] : valuesOf(of, data.dictionary);
  const indices = data.values as ArrayLike<number | bigint>;
  return (row) => (data.getValid(row) ? (values[Number(indices[row])] ?? null) : null);
}

/** Record batches have the same dictionary until another one comes. */
const known = new WeakMap<Vector, readonly DuckDBValue[]>();

function valuesOf(of: ArrowColumn, dictionary: Vector): readonly DuckDBValue[] {
  let values = known.get(dictionary);
  if (values !== undefined) return values;
  values = dictionary.data.flatMap((part) => {
    const read = of.reader(part);
    return Array.from({ length: part.length }, (_, row) => read(row));
  });
  known.set(dictionary, values);
  return values;
}

function listReader(of: ArrowColumn, data: Data): ArrowReader {
  const read = of.reader(data.children[0] as Data);
  const offsets = data.valueOffsets as Int32Array;
  return (row) => {
    if (!data.getValid(row)) return null;
    const [from, to] = [offsets[row] ?? 0, offsets[row + 1] ?? 0];
    return listValue(Array.from({ length: to - from }, (_, at) => read(from + at)));
  };
}

function fixedListReader(of: ArrowColumn, size: number, data: Data): ArrowReader {
  const read = of.reader(data.children[0] as Data);
  return (row) =>
    data.getValid(row) ? arrayValue(Array.from({ length: size }, (_, at) => read(row * size + at))) : null;
}
