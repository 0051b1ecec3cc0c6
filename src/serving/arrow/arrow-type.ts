// The Arrow types of columns that come, as plain data, and what each is called in an error. Every type is known well enough
// to be passed over: a column that nobody asks for may be of any.

import type { Field as FbField } from 'apache-arrow/fb/field';
import { Date as FbDate } from 'apache-arrow/fb/date';
import { DateUnit } from 'apache-arrow/fb/date-unit';
import { FixedSizeBinary } from 'apache-arrow/fb/fixed-size-binary';
import { FixedSizeList } from 'apache-arrow/fb/fixed-size-list';
import { FloatingPoint } from 'apache-arrow/fb/floating-point';
import { Int } from 'apache-arrow/fb/int';
import { Precision } from 'apache-arrow/fb/precision';
import { TimeUnit } from 'apache-arrow/fb/time-unit';
import { Timestamp } from 'apache-arrow/fb/timestamp';
import { Type } from 'apache-arrow/fb/type';
import { Union } from 'apache-arrow/fb/union';
import { UnionMode } from 'apache-arrow/fb/union-mode';
import { malformed } from './malformed.ts';

export type Unit = 's' | 'ms' | 'us' | 'ns';

/** `offsetBytes`: 8 of the large forms. */
export type ArrowType =
  | { readonly kind: 'null' }
  | { readonly kind: 'bool' }
  | { readonly kind: 'int'; readonly bytes: 1 | 2 | 4 | 8; readonly isSigned: boolean }
  | { readonly kind: 'float'; readonly bytes: 4 | 8 }
  | { readonly kind: 'text'; readonly offsetBytes: 4 | 8 }
  | { readonly kind: 'binary'; readonly offsetBytes: 4 | 8 }
  | { readonly kind: 'list'; readonly offsetBytes: 4 | 8 }
  | { readonly kind: 'textView' }
  | { readonly kind: 'binaryView' }
  | { readonly kind: 'fixedBinary'; readonly bytes: number }
  | { readonly kind: 'fixedList'; readonly size: number }
  | { readonly kind: 'date'; readonly unit: 'day' | 'ms' }
  | { readonly kind: 'timestamp'; readonly unit: Unit; readonly zone: string | null }
  /** Of which no value is taken. */
  | { readonly kind: 'other'; readonly name: string; readonly buffers: number };

/** How many buffers the type itself has, its children's aside. Of views those that are not variadic. */
export function buffersOf(type: ArrowType): number {
  switch (type.kind) {
    case 'null':
      return 0;
    case 'fixedList':
      return 1;
    case 'text':
    case 'binary':
      return 3;
    case 'other':
      return type.buffers;
    default:
      return 2;
  }
}

const UNITS: readonly Unit[] = ['s', 'ms', 'us', 'ns'];
const LONGEST_ZONE = 100;

/** Of types of which no value is taken: name and buffers. */
const OTHERS: ReadonlyMap<Type, readonly [name: string, buffers: number]> = new Map([
  [Type.Decimal, ['Decimal', 2]],
  [Type.Time, ['Time', 2]],
  [Type.Interval, ['Interval', 2]],
  [Type.Duration, ['Duration', 2]],
  [Type.Struct_, ['Struct', 1]],
  [Type.Map, ['Map', 2]],
  [Type.RunEndEncoded, ['RunEndEncoded', 0]],
  [Type.ListView, ['ListView', 3]],
  [Type.LargeListView, ['LargeListView', 3]],
]);

/** Throws HR_MALFORMED_ARROW for a type that Arrow doesn't have. */
export function readType(field: FbField): ArrowType {
  const type = field.typeType();
  const other = OTHERS.get(type);
  if (other !== undefined) return { kind: 'other', name: other[0], buffers: other[1] };
  switch (type) {
    case Type.Null:
      return { kind: 'null' };
    case Type.Bool:
      return { kind: 'bool' };
    case Type.Int:
      return readInt(headOf(field, new Int()));
    case Type.FloatingPoint:
      return readFloat(headOf(field, new FloatingPoint()).precision());
    case Type.Utf8:
      return { kind: 'text', offsetBytes: 4 };
    case Type.LargeUtf8:
      return { kind: 'text', offsetBytes: 8 };
    case Type.Binary:
      return { kind: 'binary', offsetBytes: 4 };
    case Type.LargeBinary:
      return { kind: 'binary', offsetBytes: 8 };
    case Type.Utf8View:
      return { kind: 'textView' };
    case Type.BinaryView:
      return { kind: 'binaryView' };
    case Type.List:
      return { kind: 'list', offsetBytes: 4 };
    case Type.LargeList:
      return { kind: 'list', offsetBytes: 8 };
    case Type.FixedSizeBinary:
      return { kind: 'fixedBinary', bytes: sizeOf(headOf(field, new FixedSizeBinary()).byteWidth()) };
    case Type.FixedSizeList:
      return { kind: 'fixedList', size: sizeOf(headOf(field, new FixedSizeList()).listSize()) };
    case Type.Date:
      return { kind: 'date', unit: headOf(field, new FbDate()).unit() === DateUnit.DAY ? 'day' : 'ms' };
    case Type.Timestamp:
      return readTimestamp(headOf(field, new Timestamp()));
    case Type.Union: {
      const isDense = headOf(field, new Union()).mode() === UnionMode.Dense;
      return { kind: 'other', name: 'Union', buffers: isDense ? 2 : 1 };
    }
    default:
      throw malformed(`a column is of the type ${String(type)}, which Arrow does not have`);
  }
}

/** As `Timestamp(ns, Europe/Paris)`. */
export function arrowTypeName(type: ArrowType): string {
  switch (type.kind) {
    case 'null':
      return 'Null';
    case 'bool':
      return 'Bool';
    case 'int':
      return `${type.isSigned ? 'Int' : 'UInt'}${type.bytes * 8}`;
    case 'float':
      return `Float${type.bytes * 8}`;
    case 'text':
      return type.offsetBytes === 8 ? 'LargeUtf8' : 'Utf8';
    case 'binary':
      return type.offsetBytes === 8 ? 'LargeBinary' : 'Binary';
    case 'list':
      return type.offsetBytes === 8 ? 'LargeList' : 'List';
    case 'textView':
      return 'Utf8View';
    case 'binaryView':
      return 'BinaryView';
    case 'fixedBinary':
      return `FixedSizeBinary(${type.bytes})`;
    case 'fixedList':
      return `FixedSizeList(${type.size})`;
    case 'date':
      return type.unit === 'day' ? 'Date32' : 'Date64';
    case 'timestamp':
      return `Timestamp(${type.unit}${type.zone === null ? '' : `, ${type.zone}`})`;
    case 'other':
      return type.name;
  }
}

interface FbTable {
  bb_pos: number;
}

function headOf<T extends FbTable>(field: FbField, table: T): T {
  // Gives the very object that it is given, or null where there is none.
  const head = field.type(table) as T | null;
  if (head === null) throw malformed('the type of a column is not described');
  return head;
}

function readInt(int: Int): ArrowType {
  const bytes = int.bitWidth() / 8;
  if (bytes !== 1 && bytes !== 2 && bytes !== 4 && bytes !== 8)
    throw malformed(`a column is of integers of ${bytes * 8} bits`);
  return { kind: 'int', bytes, isSigned: int.isSigned() };
}

function readFloat(precision: Precision): ArrowType {
  if (precision === Precision.HALF) return { kind: 'other', name: 'Float16', buffers: 2 };
  return { kind: 'float', bytes: precision === Precision.SINGLE ? 4 : 8 };
}

function readTimestamp(head: Timestamp): ArrowType {
  const unit = UNITS[head.unit() satisfies TimeUnit];
  if (unit === undefined) throw malformed('a timestamp is of no known unit');
  return { kind: 'timestamp', unit, zone: head.timezone()?.slice(0, LONGEST_ZONE) ?? null };
}

function sizeOf(size: number): number {
  if (size < 0) throw malformed(`a column is of a fixed size of ${size}`);
  return size;
}
