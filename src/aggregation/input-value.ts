// An input column's value at a row, back from the plain numbers in which columns travel.

import type { DataType, Value } from '../core/index.ts';
import type { EventColumns, InputColumn } from './aggregator.ts';

const TWO_32 = 2 ** 32;

/** How a column's values lie in an InputColumn: one number, two (int64), or as they are. */
export type Carrier = 'number' | 'pair' | 'value';

export function carrierOf(type: DataType): Carrier {
  switch (type.kind) {
    case 'int64':
      return 'pair';
    case 'bool':
    case 'int32':
    case 'float32':
    case 'float64':
    case 'timestamp':
      return 'number';
    default:
      return 'value';
  }
}

/** The column that a part reads. */
export function columnOf(events: EventColumns, input: number): InputColumn {
  // Parts are compiled with the index of one of the aggregator's inputs.
  return events.inputs[input] as InputColumn;
}

/** An int64 v from v >> 32 and v & 0xffffffff. */
export function joinInt64(high: number, low: number): bigint {
  const joined = high * TWO_32 + low;
  return Number.isSafeInteger(joined) ? BigInt(joined) : BigInt(high) * 4294967296n + BigInt(low);
}

/** The number as the value of `type` that it carries. */
export function fromNumber(type: DataType, carried: number): Value {
  return type.kind === 'bool' ? carried === 1 : carried;
}

/** The non-null value at a row. */
export function valueAt(type: DataType, column: InputColumn, row: number): Value {
  // Which arrays there are follows from the type: see InputColumn.
  if (type.kind === 'int64') {
    return joinInt64((column.numbers as Float64Array)[row] as number, (column.low as Float64Array)[row] as number);
  }
  if (column.numbers !== undefined) return fromNumber(type, column.numbers[row] as number);
  return (column.values as readonly Value[])[row] as Value;
}

/** Any numeric column's value as a double: an int64 beyond 2^53 is rounded. */
export function doubleAt(column: InputColumn, row: number): number {
  const number = (column.numbers as Float64Array)[row] as number;
  return column.low === undefined ? number : number * TWO_32 + (column.low[row] as number);
}
