// first and last: the non-null value whose row is least or greatest by (event time, known time, order key).

import { compareOrder, type DataType, type Value } from '../../core/index.ts';
import { type ByteReader, type ByteWriter, readValue, writeValue } from '../byte-stream.ts';
import { carrierOf, columnOf, fromNumber, joinInt64 } from '../input-value.ts';
import type { TileRun } from '../aggregator.ts';
import type { CompiledOp, Op, PartSpec, Place } from '../part.ts';
import { orderAt, orderCodec } from '../row-order.ts';
import { setCell } from '../tile-run.ts';

/**
 * Slots: event time (infinite: none), known time, then the value: one number, two for an int64, or none and a cell.
 * The last cell is the order key.
 */
export function firstLastOp(column: string, type: DataType, op: 'first' | 'last'): Op {
  const carrier = carrierOf(type);
  const valueSlots = carrier === 'number' ? 1 : carrier === 'pair' ? 2 : 0;
  const isLast = op === 'last';
  const none = isLast ? -Infinity : Infinity;
  const valueCells = carrier === 'value' ? 1 : 0;

  // Of rows of one order the first that came stays first, and the last that came is last.
  const wins = (
    event: number,
    known: number,
    order: Uint8Array | undefined,
    run: TileRun,
    at: number,
    cell: number,
  ) => {
    const bestEvent = run.slots[at] as number;
    if (event !== bestEvent) return event > bestEvent === isLast;
    const bestKnown = run.slots[at + 1] as number;
    if (known !== bestKnown) return known > bestKnown === isLast;
    const compared = compareOrder(order, orderCell(run, cell));
    return isLast ? compared >= 0 : compared < 0;
  };

  const part: PartSpec = {
    name: `${op}ByOrder`,
    column,
    identity: [none, none, ...Array<number>(valueSlots).fill(0)],
    cells: valueCells + 1,
    build: ({ stride, slot, cellStride, cell, input }) => ({
      update(run, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        const { slots } = run;
        const at = tile * stride + slot;
        const cellAt = tile * cellStride + cell;
        const event = events.eventMicros[row] as number;
        const known = events.knownMicros[row] as number;
        const order = orderAt(events, row);
        if (!wins(event, known, order, run, at, cellAt + valueCells)) return;
        slots[at] = event;
        slots[at + 1] = known;
        if (valueSlots > 0) slots[at + 2] = (from.numbers as Float64Array)[row] as number;
        if (valueSlots > 1) slots[at + 3] = (from.low as Float64Array)[row] as number;
        if (valueCells > 0) setCell(run, cellAt, (from.values as readonly Value[])[row]);
        setOrder(run, cellAt + valueCells, order);
      },
      merge(into, intoTile, from, fromTile) {
        const at = intoTile * stride + slot;
        const fromAt = fromTile * stride + slot;
        const cellAt = intoTile * cellStride + cell;
        const fromCell = fromTile * cellStride + cell;
        const event = from.slots[fromAt] as number;
        if (event === none) return;
        const order = orderCell(from, fromCell + valueCells);
        if (!wins(event, from.slots[fromAt + 1] as number, order, into, at, cellAt + valueCells)) return;
        for (let s = 0; s < 2 + valueSlots; s++) into.slots[at + s] = from.slots[fromAt + s] as number;
        if (valueCells > 0) setCell(into, cellAt, from.cells[fromCell]);
        setOrder(into, cellAt + valueCells, order);
      },
      // A part's value cells hold values of its column's type.
      cells: [
        ...(carrier === 'value'
          ? [
              {
                write: (out: ByteWriter, value: unknown) => writeValue(out, type, value as Value),
                read: (bytes: ByteReader) => readValue(bytes, type),
              },
            ]
          : []),
        orderCodec,
      ],
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

// Mostly there are no orders at all: then the run has no cells for them.
function orderCell({ cells }: TileRun, at: number): Uint8Array | undefined {
  return at < cells.length ? (cells[at] as Uint8Array | undefined) : undefined;
}

function setOrder(run: TileRun, at: number, order: Uint8Array | undefined): void {
  if (order !== undefined || at < run.cells.length) setCell(run, at, order);
}
