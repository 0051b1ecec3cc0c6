// first and last: the non-null value whose row is least or greatest by (event time, known time, arrival).

import type { DataType, Value } from '../../core/index.ts';
import { readValue, writeValue } from '../byte-stream.ts';
import { carrierOf, columnOf, fromNumber, joinInt64 } from '../input-value.ts';
import type { CompiledOp, Op, PartSpec, Place } from '../part.ts';

/** Slots: event time (infinite: none), known time, then the value: one number, two for an int64, or none and a cell. */
export function firstLastOp(column: string, type: DataType, op: 'first' | 'last'): Op {
  const carrier = carrierOf(type);
  const valueSlots = carrier === 'number' ? 1 : carrier === 'pair' ? 2 : 0;
  const isLast = op === 'last';
  const none = isLast ? -Infinity : Infinity;

  // Of full ties the first that came stays first, and the last that came is last.
  const wins = (event: number, known: number, slots: Float64Array, at: number) => {
    const bestEvent = slots[at] as number;
    const bestKnown = slots[at + 1] as number;
    if (isLast) return event > bestEvent || (event === bestEvent && known >= bestKnown);
    return event < bestEvent || (event === bestEvent && known < bestKnown);
  };

  const part: PartSpec = {
    name: op,
    column,
    identity: [none, none, ...Array<number>(valueSlots).fill(0)],
    cells: carrier === 'value' ? 1 : 0,
    build: ({ stride, slot, cellStride, cell, input }) => ({
      update(run, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        const { slots } = run;
        const at = tile * stride + slot;
        const event = events.eventMicros[row] as number;
        const known = events.knownMicros[row] as number;
        if (!wins(event, known, slots, at)) return;
        slots[at] = event;
        slots[at + 1] = known;
        if (valueSlots > 0) slots[at + 2] = (from.numbers as Float64Array)[row] as number;
        if (valueSlots > 1) slots[at + 3] = (from.low as Float64Array)[row] as number;
        if (valueSlots === 0) run.cells[tile * cellStride + cell] = (from.values as readonly Value[])[row];
      },
      merge(into, intoTile, from, fromTile) {
        const at = intoTile * stride + slot;
        const fromAt = fromTile * stride + slot;
        const event = from.slots[fromAt] as number;
        if (event === none || !wins(event, from.slots[fromAt + 1] as number, into.slots, at)) return;
        for (let s = 0; s < 2 + valueSlots; s++) into.slots[at + s] = from.slots[fromAt + s] as number;
        if (valueSlots === 0) into.cells[intoTile * cellStride + cell] = from.cells[fromTile * cellStride + cell];
      },
      ...(carrier === 'value' && {
        cell: {
          // A part's cells hold values of its column's type.
          write: (out, value) => writeValue(out, type, value as Value),
          read: (bytes) => readValue(bytes, type),
        },
      }),
    }),
  };

  return {
    parts: [part],
    compile([place]): CompiledOp {
      const { stride, slot, cellStride, cell } = place as Place;
      // Tiles don't overlap in event time: the outermost tile with a value holds the answer.
      const find = (slots: Float64Array, from: number, to: number): number => {
        if (isLast) {
          for (let tile = to - 1; tile >= from; tile--) if (slots[tile * stride + slot] !== none) return tile;
        } else {
          for (let tile = from; tile < to; tile++) if (slots[tile * stride + slot] !== none) return tile;
        }
        return -1;
      };
      return {
        read({ slots, cells }, from, to) {
          const tile = find(slots, from, to);
          if (tile < 0) return null;
          const at = tile * stride + slot + 2;
          if (carrier === 'number') return fromNumber(type, slots[at] as number);
          if (carrier === 'pair') return joinInt64(slots[at] as number, slots[at + 1] as number);
          return cells[tile * cellStride + cell] as Value;
        },
      };
    },
  };
}
