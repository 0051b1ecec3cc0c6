// What a windowed feature must be, by plain loops over a key's events: the reference for the tile algebra. Written
// apart from it; its aggregates are those of the naive oracle.

import type { DataType, Micros, Value } from '../../src/core/index.ts';
import { aggregateNaively, type WindowAggregation } from './oracle.ts';

export type { WindowAggregation } from './oracle.ts';

export interface WindowEvent {
  readonly eventMicros: Micros;
  readonly knownMicros: Micros;
  /** By column. */
  readonly values: Readonly<Record<string, Value>>;
}

/** `arrived` in order of arrival; those with a time after `at` must not be in it. Throws past int64. */
export function windowOracle(
  aggregation: WindowAggregation,
  type: DataType,
  arrived: readonly WindowEvent[],
  at: Micros,
): Value {
  const { column, windowMicros, hopMicros } = aggregation;
  const start = Math.floor((at - windowMicros) / hopMicros) * hopMicros;
  // Sorting is stable: full ties stay in order of arrival.
  const inWindow = arrived
    .filter((event) => event.eventMicros >= start && event.eventMicros <= at)
    .toSorted((a, b) => a.eventMicros - b.eventMicros || a.knownMicros - b.knownMicros);
  if (column === null) return BigInt(inWindow.length);
  const values = inWindow.map((event) => event.values[column] as Value).filter((value) => value !== null);
  return aggregateNaively(aggregation, type, values);
}
