// min and max, in the order of core's compareValues: NaN is greatest, −0 is below 0, strings and bytes go by bytes.

import { compareValues, type DataType, type Value } from '../../core/index.ts';
import { readValue, writeValue } from '../byte-stream.ts';
import { carrierOf, columnOf, fromNumber, joinInt64 } from '../input-value.ts';
import type { CompiledOp, Op, PartSpec, Place, ReadRange } from '../part.ts';
import { setCell } from '../tile-run.ts';
import { nonNullPart, readCount } from './count.ts';

export function extremeOp(column: string, type: DataType, op: 'min' | 'max'): Op {
  switch (carrierOf(type)) {
    case 'number':
      return numberExtreme(column, type, op);
    case 'pair':
      return pairExtreme(column, op);
    case 'value':
      return valueExtreme(column, type, op);
  }
}

type Beats = (candidate: number, current: number) => boolean;

const isLess: Beats = (candidate, current) =>
  candidate < current ||
  (candidate === 0 && current === 0 && Object.is(candidate, -0)) ||
  (Number.isNaN(current) && !Number.isNaN(candidate));

const isGreater: Beats = (candidate, current) =>
  candidate > current ||
  (candidate === 0 && current === 0 && Object.is(current, -0)) ||
  (Number.isNaN(candidate) && !Number.isNaN(current));

// The identity loses against everything: NaN is the greatest value, −Infinity the least.
function numberExtreme(column: string, type: DataType, op: 'min' | 'max'): Op {
  const beats = op === 'min' ? isLess : isGreater;
  const identity = op === 'min' ? Number.NaN : -Infinity;
  const part: PartSpec = {
    name: op,
    column,
    identity: [identity],
    cells: 0,
    build: ({ stride, slot, input }) => ({
      update(run, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        const value = (from.numbers as Float64Array)[row] as number;
        const at = tile * stride + slot;
        if (beats(value, run.slots[at] as number)) run.slots[at] = value;
      },
      merge(into, intoTile, from, fromTile) {
        const at = intoTile * stride + slot;
        const value = from.slots[fromTile * stride + slot] as number;
        if (beats(value, into.slots[at] as number)) into.slots[at] = value;
      },
    }),
  };
  return {
    parts: [nonNullPart(column), part],
    compile([counted, place]): CompiledOp {
      const count = readCount(counted as Place);
      const { stride, slot } = place as Place;
      const readNumber: ReadRange<number | null> = (run, from, to) => {
        if (count(run, from, to) === 0) return null;
        const { slots } = run;
        let best = identity;
        for (let at = from * stride + slot, end = to * stride; at < end; at += stride) {
          if (beats(slots[at] as number, best)) best = slots[at] as number;
        }
        return best;
      };
      if (type.kind !== 'bool') return { readNumber, read: readNumber };
      return {
        read(run, from, to) {
          const best = readNumber(run, from, to);
          return best === null ? null : fromNumber(type, best);
        },
      };
    },
  };
}

// An int64 lies in two slots, high before low; an infinite high loses against everything.
function pairExtreme(column: string, op: 'min' | 'max'): Op {
  const sign = op === 'min' ? 1 : -1;
  const beats = (high: number, low: number, bestHigh: number, bestLow: number) =>
    high === bestHigh ? sign * low < sign * bestLow : sign * high < sign * bestHigh;
  const put = (slots: Float64Array, at: number, high: number, low: number) => {
    if (!beats(high, low, slots[at] as number, slots[at + 1] as number)) return;
    slots[at] = high;
    slots[at + 1] = low;
  };
  const part: PartSpec = {
    name: op,
    column,
    identity: [sign * Infinity, 0],
    cells: 0,
    build: ({ stride, slot, input }) => ({
      update(run, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        const high = (from.numbers as Float64Array)[row] as number;
        put(run.slots, tile * stride + slot, high, (from.low as Float64Array)[row] as number);
      },
      merge(into, intoTile, from, fromTile) {
        const fromAt = fromTile * stride + slot;
        put(into.slots, intoTile * stride + slot, from.slots[fromAt] as number, from.slots[fromAt + 1] as number);
      },
    }),
  };
  return {
    parts: [part],
    compile: ([place]) => {
      const { stride, slot } = place as Place;
      return {
        read({ slots }, from, to) {
          let high = sign * Infinity;
          let low = 0;
          for (let at = from * stride + slot, end = to * stride; at < end; at += stride) {
            if (!beats(slots[at] as number, slots[at + 1] as number, high, low)) continue;
            high = slots[at] as number;
            low = slots[at + 1] as number;
          }
          return Number.isFinite(high) ? joinInt64(high, low) : null;
        },
      };
    },
  };
}

function valueExtreme(column: string, type: DataType, op: 'min' | 'max'): Op {
  const sign = op === 'min' ? 1 : -1;
  // A part's cells hold values of its column's type, or undefined.
  const better = (candidate: unknown, current: unknown) =>
    candidate !== undefined &&
    (current === undefined || sign * compareValues(candidate as Value, current as Value) < 0);
  const part: PartSpec = {
    name: op,
    column,
    identity: [],
    cells: 1,
    build: ({ cellStride, cell, input }) => ({
      update(run, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        const at = tile * cellStride + cell;
        const value = (from.values as readonly Value[])[row];
        if (better(value, run.cells[at])) setCell(run, at, value);
      },
      merge(into, intoTile, from, fromTile) {
        const at = intoTile * cellStride + cell;
        const value = from.cells[fromTile * cellStride + cell];
        if (better(value, into.cells[at])) setCell(into, at, value);
      },
      cells: [
        {
          write: (out, value) => writeValue(out, type, value as Value),
          read: (bytes) => readValue(bytes, type),
        },
      ],
    }),
  };
  return {
    parts: [part],
    compile: ([place]) => {
      const { cellStride, cell } = place as Place;
      return {
        read({ cells }, from, to) {
          let best: unknown;
          for (let tile = from; tile < to; tile++) {
            const value = cells[tile * cellStride + cell];
            if (better(value, best)) best = value;
          }
          return best === undefined ? null : (best as Value);
        },
      };
    },
  };
}
