// A view's events as the column batch that the window algebra takes.

import { type DataType, isPlainNumber, type Value } from '../../core/index.ts';
import type { Aggregator, EventColumns, InputColumn } from '../../aggregation/index.ts';
import type { ViewEvent } from './waiting-events.ts';

/** `places` gives each input's index in the events' values. */
export function eventBatch(
  { inputs, isOrderSensitive }: Aggregator,
  places: readonly number[],
  events: readonly ViewEvent[],
): EventColumns {
  const size = events.length;
  const eventMicros = new Float64Array(size);
  const knownMicros = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const event = events[i] as ViewEvent;
    eventMicros[i] = event.eventMicros;
    knownMicros[i] = event.knownMicros;
  }
  return {
    eventMicros,
    knownMicros,
    inputs: inputs.map(({ type }, input) => inputColumn(type, events, places[input] as number)),
    ...(isOrderSensitive && { orders: events.map(({ order }) => order) }),
  };
}

function inputColumn(type: DataType, events: readonly ViewEvent[], place: number): InputColumn {
  const size = events.length;
  const valid = new Uint8Array(size);
  const valueOf = (i: number): Value => (events[i] as ViewEvent).values[place] ?? null;
  if (type.kind !== 'int64' && type.kind !== 'bool' && !isPlainNumber(type)) {
    const values = events.map((_, i) => valueOf(i));
    for (let i = 0; i < size; i++) valid[i] = values[i] === null ? 0 : 1;
    return { values, valid };
  }
  const numbers = new Float64Array(size);
  const low = type.kind === 'int64' ? new Float64Array(size) : undefined;
  for (let i = 0; i < size; i++) {
    const value = valueOf(i);
    if (value === null) continue;
    valid[i] = 1;
    if (low === undefined) {
      numbers[i] = Number(value);
    } else {
      // An int64 is a bigint inside; its halves are what the algebra adds.
      numbers[i] = Number((value as bigint) >> 32n);
      low[i] = Number((value as bigint) & 0xffffffffn);
    }
  }
  return low === undefined ? { numbers, valid } : { numbers, low, valid };
}
