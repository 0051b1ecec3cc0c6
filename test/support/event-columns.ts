// Rows of values as the columns that an aggregator reads.

import type { DataType, Value } from '../../src/core/index.ts';
import type { AggregatorInput, EventColumns, InputColumn } from '../../src/aggregation/index.ts';
import type { WindowEvent } from './window-oracle.ts';

export function toEventColumns(inputs: readonly AggregatorInput[], events: readonly WindowEvent[]): EventColumns {
  return {
    eventMicros: Float64Array.from(events, (event) => event.eventMicros),
    knownMicros: Float64Array.from(events, (event) => event.knownMicros),
    inputs: inputs.map(({ column, type }) =>
      toColumn(
        type,
        events.map((event) => event.values[column] as Value),
      ),
    ),
  };
}

function toColumn(type: DataType, values: readonly Value[]): InputColumn {
  const valid = Uint8Array.from(values, (value) => (value === null ? 0 : 1));
  switch (type.kind) {
    case 'int64': {
      const wide = values.map((value) => (value ?? 0n) as bigint);
      return {
        valid,
        numbers: Float64Array.from(wide, (value) => Number(value >> 32n)),
        low: Float64Array.from(wide, (value) => Number(value & 0xffffffffn)),
      };
    }
    case 'bool':
    case 'int32':
    case 'float32':
    case 'float64':
    case 'timestamp':
      return { valid, numbers: Float64Array.from(values, (value) => Number(value ?? 0)) };
    default:
      return { valid, values };
  }
}
