// Whole numbers and floats of every width as ours: one that does not fit is told, a float64 is rounded to a float32 as JSON's
// numbers are.

import { type DataType, INVALID, toFloat32 } from '../../core/index.ts';
import type { ArrowType } from './arrow-type.ts';
import { type ReadCell, viewOf, WrongCell } from './cells.ts';
import type { ColumnData } from './read-stream.ts';

type Int = Extract<ArrowType, { readonly kind: 'int' }>;
type Float = Extract<ArrowType, { readonly kind: 'float' }>;

const INT64_MAX = 2n ** 63n - 1n;
const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/** Of a type of up to four bytes. */
export function smallIntAt(view: DataView, { bytes, isSigned }: Int): (at: number) => number {
  switch (bytes) {
    case 1:
      return isSigned ? (at) => view.getInt8(at) : (at) => view.getUint8(at);
    case 2:
      return isSigned ? (at) => view.getInt16(at * 2, true) : (at) => view.getUint16(at * 2, true);
    default:
      return isSigned ? (at) => view.getInt32(at * 4, true) : (at) => view.getUint32(at * 4, true);
  }
}

function largeIntAt(view: DataView, { isSigned }: Int): (at: number) => bigint {
  return isSigned ? (at) => view.getBigInt64(at * 8, true) : (at) => view.getBigUint64(at * 8, true);
}

export function integerReader(from: Int, type: DataType): (data: ColumnData) => ReadCell {
  const isInt64 = type.kind === 'int64';
  return ({ length, buffers }) => {
    const view = viewOf(buffers, 0, length * from.bytes);
    if (from.bytes === 8) {
      const large = largeIntAt(view, from);
      if (isInt64) {
        return (at) => {
          const value = large(at);
          return value <= INT64_MAX ? value : new WrongCell(type, value);
        };
      }
      return (at) => {
        const value = large(at);
        return value >= INT32_MIN && value <= INT32_MAX ? Number(value) : new WrongCell(type, value);
      };
    }
    const small = smallIntAt(view, from);
    if (isInt64) return (at) => BigInt(small(at));
    return (at) => {
      const value = small(at);
      return value <= INT32_MAX ? value : new WrongCell(type, value);
    };
  };
}

export function numberReader(from: Int | Float, type: DataType): (data: ColumnData) => ReadCell {
  const isFloat32 = type.kind === 'float32';
  return ({ length, buffers }) => {
    const view = viewOf(buffers, 0, length * from.bytes);
    if (from.kind === 'float') {
      if (from.bytes === 4) return (at) => view.getFloat32(at * 4, true);
      if (!isFloat32) return (at) => view.getFloat64(at * 8, true);
      return (at) => {
        const value = view.getFloat64(at * 8, true);
        const float = toFloat32(value);
        return float === INVALID ? new WrongCell(type, value, ', which is past its range') : float;
      };
    }
    const whole = from.bytes === 8 ? largeIntAt(view, from) : smallIntAt(view, from);
    return (at) => {
      const value = whole(at);
      const float = isFloat32 ? Math.fround(Number(value)) : Number(value);
      // Of a bigint and of a number alike: whether it is the very same.
      return BigInt(float) === BigInt(value) ? float : new WrongCell(type, value, ', which it can’t hold exactly');
    };
  };
}
