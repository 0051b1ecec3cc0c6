// What a windowed feature must be, by plain loops over a key's events: the reference for the tile algebra. Written
// apart from it; it shares only the core's order of values.

import { compareValues, type DataType, type Micros, type Value } from '../../src/core/index.ts';
import type { Aggregation } from '../../src/definitions/index.ts';

export interface WindowEvent {
  readonly eventMicros: Micros;
  readonly knownMicros: Micros;
  /** By column. */
  readonly values: Readonly<Record<string, Value>>;
}

export type WindowAggregation = Exclude<Aggregation, { op: 'latest' }>;

/** `arrived` in order of arrival; those with a time after `at` must not be in it. Throws RangeError past int64. */
export function windowOracle(
  aggregation: WindowAggregation,
  type: DataType,
  arrived: readonly WindowEvent[],
  at: Micros,
): Value {
  const { op, column, windowMicros, hopMicros } = aggregation;
  const start = Math.floor((at - windowMicros) / hopMicros) * hopMicros;
  // Sorting is stable: full ties stay in order of arrival.
  const inWindow = arrived
    .filter((event) => event.eventMicros >= start && event.eventMicros <= at)
    .toSorted((a, b) => a.eventMicros - b.eventMicros || a.knownMicros - b.knownMicros);
  if (column === null) return BigInt(inWindow.length);
  const values = inWindow.map((event) => event.values[column] as Value).filter((value) => value !== null);
  if (op === 'count') return BigInt(values.length);
  if (op === 'countDistinct') return BigInt(distinct(values));
  if (values.length === 0) return null;
  const isInteger = type.kind === 'int32' || type.kind === 'int64';
  const whole = () => values.reduce<bigint>((sum, value) => sum + BigInt(value as number | bigint), 0n);
  const numbers = values.map(Number);
  switch (op) {
    case 'sum': {
      if (!isInteger) return sum(numbers);
      const total = whole();
      if (BigInt.asIntN(64, total) !== total) throw new RangeError('past int64');
      return total;
    }
    case 'mean':
      return (isInteger ? Number(whole()) : sum(numbers)) / values.length;
    case 'min':
      return values.toSorted(compareValues)[0] as Value;
    case 'max':
      return values.toSorted(compareValues).at(-1) as Value;
    case 'first':
      return values[0] as Value;
    case 'last':
      return values.at(-1) as Value;
    case 'lastN':
      return values.slice(-(aggregation.n ?? 1));
    case 'variance':
    case 'stddev': {
      if (values.length < 2) return null;
      const mean = sum(numbers) / numbers.length;
      const variance = sum(numbers.map((value) => (value - mean) ** 2)) / (numbers.length - 1);
      return op === 'variance' ? variance : Math.sqrt(variance);
    }
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, value) => total + value, 0);
}

// −0 is 0 to a count of distinct values, though it sorts before it.
function distinct(values: readonly Value[]): number {
  const found: Value[] = [];
  for (const value of values) {
    if (!found.some((other) => value === other || compareValues(value, other) === 0)) found.push(value);
  }
  return found.length;
}
