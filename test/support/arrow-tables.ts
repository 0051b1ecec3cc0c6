// Tables made and read by the npm library, another's hand than the one that is tried: values of our types as columns of every
// Arrow type that takes them, and columns of an answer as our values.

import * as arrow from 'apache-arrow';
import type { DataType, Value } from '../../src/core/index.ts';

const MICROS_PER_DAY = 86_400_000_000;
const isMultiple = (of: number) => (value: Value) => (value as number) % of === 0;

export interface Encoding {
  readonly name: string;
  /** Values of other types than the definition's are taken as they stand for one of it. */
  readonly encode: (values: readonly Value[]) => arrow.Vector;
  /** Whether the encoding can hold it as it is. */
  readonly holds?: (value: Value) => boolean;
}

const byLibrary = (name: string, type: arrow.DataType, holds?: Encoding['holds']): Encoding => ({
  name,
  encode: (values) => arrow.vectorFromArray(values as never, type),
  ...(holds === undefined ? {} : { holds }),
});

/** Each null is a bit, each value a whole number of the unit: exact, where the library's own builder goes by Date. */
function times(
  name: string,
  type: arrow.DataType,
  unit: (micros: bigint) => bigint,
  holds?: Encoding['holds'],
): Encoding {
  return {
    name,
    encode: (values) => {
      const data = BigInt64Array.from(values, (value) => (value === null ? 0n : unit(BigInt(value as number))));
      return arrow.makeVector(
        arrow.makeData({ type: type as never, length: values.length, data, ...nullsOf(values) } as never),
      ) as arrow.Vector;
    },
    ...(holds === undefined ? {} : { holds }),
  };
}

function nullsOf(values: readonly Value[]): { nullCount: number; nullBitmap: Uint8Array } {
  const nullBitmap = new Uint8Array((((values.length + 7) >> 3) + 7) & ~7);
  let nullCount = 0;
  for (const [at, value] of values.entries()) {
    if (value === null) nullCount++;
    else nullBitmap[at >> 3] = (nullBitmap[at >> 3] as number) | (1 << (at & 7));
  }
  return { nullCount, nullBitmap };
}

const days: Encoding['encode'] = (values) => {
  const data = Int32Array.from(values, (value) => Number(value ?? 0) / MICROS_PER_DAY);
  return arrow.makeVector(
    arrow.makeData({ type: new arrow.DateDay(), length: values.length, data, ...nullsOf(values) }),
  );
};

const within = (least: number, most: number) => (value: Value) => Number(value) >= least && Number(value) <= most;
const mapped =
  (map: (value: number) => unknown) =>
  (encoding: Encoding): Encoding => ({
    ...encoding,
    encode: (values) =>
      encoding.encode(values.map((value) => (value === null ? null : (map(value as number) as Value)))),
  });
const [asBig, asNumber] = [mapped(BigInt), mapped(Number)];

const WHOLE: readonly Encoding[] = [
  asNumber(byLibrary('Int8', new arrow.Int8(), within(-128, 127))),
  asNumber(byLibrary('Int16', new arrow.Int16(), within(-(2 ** 15), 2 ** 15 - 1))),
  asNumber(byLibrary('Int32', new arrow.Int32(), within(-(2 ** 31), 2 ** 31 - 1))),
  asNumber(byLibrary('UInt8', new arrow.Uint8(), within(0, 255))),
  asNumber(byLibrary('UInt32', new arrow.Uint32(), within(0, 2 ** 32 - 1))),
  asBig(byLibrary('Int64', new arrow.Int64())),
  asBig(byLibrary('UInt64', new arrow.Uint64(), (value) => BigInt(value as number) >= 0n)),
];
const isWhole = (value: Value): boolean => Number.isSafeInteger(value) && !Object.is(value, -0);

/** Every way in which a column of the type may come. */
export function encodingsOf(type: DataType): readonly Encoding[] {
  switch (type.kind) {
    case 'bool':
      return [byLibrary('Bool', new arrow.Bool())];
    case 'int32':
    case 'int64':
      return [
        ...WHOLE,
        asNumber(
          byLibrary(
            'Dictionary of Int32',
            new arrow.Dictionary(new arrow.Int32(), new arrow.Int8()),
            within(-100, 100),
          ),
        ),
      ];
    case 'float32':
    case 'float64':
      return [
        byLibrary('Float64', new arrow.Float64()),
        byLibrary('Float32', new arrow.Float32(), (value) => Object.is(Math.fround(value as number), value)),
        ...WHOLE.filter(({ name }) => name === 'Int32' || name === 'Int64').map(
          (encoding): Encoding => ({
            ...encoding,
            holds: (value) =>
              isWhole(value) && Object.is(Math.fround(value as number), value) && (encoding.holds?.(value) ?? true),
          }),
        ),
      ];
    case 'string':
      return [
        byLibrary('Utf8', new arrow.Utf8()),
        byLibrary('LargeUtf8', new arrow.LargeUtf8()),
        byLibrary('Dictionary of Utf8', new arrow.Dictionary(new arrow.Utf8(), new arrow.Int16())),
      ];
    case 'bytes':
      return [
        byLibrary('Binary', new arrow.Binary()),
        byLibrary('LargeBinary', new arrow.LargeBinary()),
        byLibrary('FixedSizeBinary', new arrow.FixedSizeBinary(2), (value) => (value as Uint8Array).length === 2),
      ];
    case 'timestamp':
      return [
        times('Timestamp(us, UTC)', new arrow.TimestampMicrosecond('UTC'), (micros) => micros),
        times('Timestamp(us)', new arrow.TimestampMicrosecond(), (micros) => micros),
        times(
          'Timestamp(ns, Asia/Tokyo)',
          new arrow.TimestampNanosecond('Asia/Tokyo'),
          (micros) => micros * 1000n + 999n,
        ),
        times('Timestamp(ms)', new arrow.TimestampMillisecond(), (micros) => micros / 1000n, isMultiple(1000)),
        times('Timestamp(s)', new arrow.TimestampSecond(), (micros) => micros / 1_000_000n, isMultiple(1_000_000)),
        { name: 'Date32', encode: days, holds: isMultiple(MICROS_PER_DAY) },
      ];
    case 'list':
      return [byLibrary('List', new arrow.List(new arrow.Field('item', libraryType(type.of), true)))];
    case 'vector': {
      const items = (values: readonly Value[]) =>
        values.map((value) => (value === null ? null : Array.from(value as Float32Array)));
      const [fixed, list] = [
        byLibrary(
          'FixedSizeList',
          new arrow.FixedSizeList(type.size, new arrow.Field('item', new arrow.Float32(), true)),
        ),
        byLibrary('List of Float64', new arrow.List(new arrow.Field('item', new arrow.Float64(), true))),
      ];
      return [fixed, list].map((one) => ({ ...one, encode: (values) => one.encode(items(values) as never) }));
    }
  }
}

const LIBRARY: Readonly<Partial<Record<DataType['kind'], arrow.DataType>>> = {
  bool: new arrow.Bool(),
  int32: new arrow.Int32(),
  int64: new arrow.Int64(),
  float32: new arrow.Float32(),
  float64: new arrow.Float64(),
  bytes: new arrow.Binary(),
};

function libraryType(type: DataType): arrow.DataType {
  if (type.kind === 'list') return new arrow.List(new arrow.Field('item', libraryType(type.of), true));
  return LIBRARY[type.kind] ?? new arrow.Utf8();
}

export function nullColumn(length: number): arrow.Vector {
  return arrow.makeVector(arrow.makeData({ type: new arrow.Null(), length })) as arrow.Vector;
}

/** A stream of one batch. */
export function streamOf(columns: Readonly<Record<string, arrow.Vector>>): Uint8Array {
  return arrow.tableToIPC(new arrow.Table(columns), 'stream');
}

/** A stream's columns as our values, by name; of a status its text. */
export function columnsOf(
  stream: Uint8Array,
  types: Readonly<Record<string, DataType>>,
): Readonly<Record<string, Value[]>> {
  const table = arrow.tableFromIPC(stream);
  return Object.fromEntries(
    table.schema.fields.map(({ name }) => {
      const column = table.getChild(name) as arrow.Vector;
      const type = types[name] ?? { kind: 'string' };
      return [name, Array.from({ length: table.numRows }, (_, row) => valueAt(column, row, type))];
    }),
  );
}

function valueAt(column: arrow.Vector, row: number, type: DataType): Value {
  if (!column.isValid(row)) return null;
  // By Date, which knows no microseconds.
  if (type.kind === 'timestamp') return Number(column.data[0]?.values[row + (column.data[0]?.offset ?? 0)]);
  const value: unknown = column.get(row);
  if (type.kind === 'vector') return Float32Array.from(value as Iterable<number>);
  if (type.kind !== 'list') return value as Value;
  const items = value as arrow.Vector;
  return Array.from({ length: items.length }, (_, at) => valueAt(items, at, type.of));
}
