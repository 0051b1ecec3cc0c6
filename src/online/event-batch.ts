// Decoded events as the column batch that the window algebra takes.

import { type DataType, isPlainNumber, type Value } from '../core/index.ts';
import type { AggregatorInput, EventColumns, InputColumn } from '../aggregation/index.ts';
import type { DecodedEvent } from './pushed-events.ts';

/** `places` gives each input's index in the events' values. */
export function eventBatch(
  inputs: readonly AggregatorInput[],
  places: readonly number[],
  events: readonly DecodedEvent[],
): EventColumns {
  return {
    eventMicros: Float64Array.from(events, (event) => event.eventMicros),
    knownMicros: Float64Array.from(events, (event) => event.knownMicros),
    inputs: inputs.map(({ type }, input) => {
      const values = events.map((event) => event.values[places[input] as number] ?? null);
      return inputColumn(type, values);
    }),
  };
}

function inputColumn(type: DataType, values: readonly Value[]): InputColumn {
  const valid = Uint8Array.from(values, (value) => (value === null ? 0 : 1));
  if (type.kind === 'int64') {
    // An int64 is a bigint inside; its halves are what the algebra adds.
    const integers = values.map((value) => (value === null ? 0n : (value as bigint)));
    return {
      numbers: Float64Array.from(integers, (value) => Number(value >> 32n)),
      low: Float64Array.from(integers, (value) => Number(value & 0xffffffffn)),
      valid,
    };
  }
  if (type.kind === 'bool' || isPlainNumber(type)) return { numbers: Float64Array.from(values, Number), valid };
  return { values, valid };
}
