// Times of any unit as microseconds: what is finer is cut, as JSON's digits are, and never rounded. A zone says how a time is
// shown; what is stored is UTC.

import type { DataType } from '../../core/index.ts';
import { FIRST_TIME, LAST_TIME, MICROS_PER_DAY, MICROS_PER_SECOND, timeOfMicros } from '../../core/index.ts';
import type { ArrowType, Unit } from './arrow-type.ts';
import { type Cell, type ReadCell, viewOf, WrongCell } from './cells.ts';
import type { ColumnData } from './read-stream.ts';

const TIMESTAMP: DataType = { kind: 'timestamp' };
const FACTORS: Readonly<Record<Exclude<Unit, 'ns'>, bigint>> = { s: BigInt(MICROS_PER_SECOND), ms: 1000n, us: 1n };

export function timestampReader({ unit }: { readonly unit: Unit }): (data: ColumnData) => ReadCell {
  const toMicros = unit === 'ns' ? cutNanos : (value: bigint) => value * FACTORS[unit];
  return ({ length, buffers }) => {
    const view = viewOf(buffers, 0, length * 8);
    return (at) => {
      const value = view.getBigInt64(at * 8, true);
      return asTime(toMicros(value), value, unit);
    };
  };
}

export function dateReader({ unit }: Extract<ArrowType, { readonly kind: 'date' }>): (data: ColumnData) => ReadCell {
  if (unit === 'ms') return timestampReader({ unit: 'ms' });
  return ({ length, buffers }) => {
    const view = viewOf(buffers, 0, length * 4);
    return (at) => {
      const days = view.getInt32(at * 4, true);
      return asTime(BigInt(days) * BigInt(MICROS_PER_DAY), BigInt(days), 'days');
    };
  };
}

/** Towards the past: of −1 ns that is −1 µs. */
function cutNanos(value: bigint): bigint {
  return value >= 0n ? value / 1000n : -((999n - value) / 1000n);
}

function asTime(micros: bigint, raw: bigint, unit: string): Cell {
  return timeOfMicros(micros) ?? new WrongCell(TIMESTAMP, raw, ` ${unit}: times go from ${FIRST_TIME} to ${LAST_TIME}`);
}
