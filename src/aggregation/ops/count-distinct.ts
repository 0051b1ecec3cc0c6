// countDistinct: exact while a window holds at most 256 distinct values, then HyperLogLog (1.6 % standard error).
// The result depends only on the set of values, never on their order or on how tiles split them.

import { stringifyJson, toJson, type DataType, type Value } from '../../core/index.ts';
import {
  readBlock,
  readByte,
  readCount,
  readDouble,
  writeBlock,
  writeByte,
  writeCount,
  writeDouble,
} from '../byte-stream.ts';
import type { ByteReader, ByteWriter } from '../byte-stream.ts';
import { columnOf, valueAt } from '../input-value.ts';
import { addToSketch, type Countable, createSketch, estimate, mergeSketch, type Sketch } from '../hyper-log-log.ts';
import type { Op, PartSpec, Place } from '../part.ts';
import { setCell } from '../tile-run.ts';

/** Up to so many distinct values in a window the count is exact. */
export const EXACT_DISTINCT = 256;

type Distinct = Set<Countable> | Sketch;

export function countDistinctOp(column: string, type: DataType): Op {
  const countable = countableOf(type);
  const part: PartSpec = {
    name: 'distinct',
    column,
    identity: [],
    cells: 1,
    build: ({ cellStride, cell, input }) => ({
      update(run, tile, events, row) {
        const from = columnOf(events, input);
        if (from.valid[row] === 0) return;
        const at = tile * cellStride + cell;
        // A part's cells are sets or sketches, or undefined.
        setCell(run, at, add(run.cells[at] as Distinct | undefined, countable(valueAt(type, from, row))));
      },
      merge(into, intoTile, from, fromTile) {
        const at = intoTile * cellStride + cell;
        const more = from.cells[fromTile * cellStride + cell] as Distinct | undefined;
        if (more !== undefined) setCell(into, at, union(into.cells[at] as Distinct | undefined, more));
      },
      cells: [{ write: (out, cell) => writeDistinct(out, cell as Distinct), read: readDistinct }],
    }),
  };
  return {
    parts: [part],
    compile([place]) {
      const { cellStride, cell } = place as Place;
      const readNumber = ({ cells }: { cells: unknown[] }, from: number, to: number): number => {
        let only: Distinct | undefined;
        let merged: Distinct | undefined;
        for (let tile = from; tile < to; tile++) {
          const more = cells[tile * cellStride + cell] as Distinct | undefined;
          if (more === undefined) continue;
          if (only === undefined) only = more;
          else merged = union((merged ??= union(undefined, only)), more);
        }
        const all = merged ?? only;
        if (all === undefined) return 0;
        return all instanceof Set ? all.size : estimate(all);
      };
      return { readNumber, read: (run, from, to) => BigInt(readNumber(run, from, to)) };
    },
  };
}

// Equal values, and only those, give the same countable; −0 is 0 and NaN is NaN, as a Set has it.
function countableOf(type: DataType): (value: Value) => Countable {
  // The casts hold because the value is one of `type`.
  switch (type.kind) {
    case 'string':
      return (value) => value as string;
    case 'bool':
      return (value) => Number(value);
    case 'int64':
      return (value) => {
        const rounded = Number(value);
        return Number.isSafeInteger(rounded) ? rounded : (value as bigint);
      };
    case 'bytes':
      return (value) => Buffer.from(value as Uint8Array).toString('latin1');
    case 'list':
    case 'vector':
      return (value) => stringifyJson(toJson(type, value));
    default:
      return (value) => value as number;
  }
}

function add(distinct: Distinct | undefined, value: Countable): Distinct {
  if (distinct === undefined) return new Set([value]);
  if (!(distinct instanceof Set)) {
    addToSketch(distinct, value);
    return distinct;
  }
  distinct.add(value);
  return distinct.size > EXACT_DISTINCT ? toSketch(distinct) : distinct;
}

function toSketch(set: Set<Countable>): Sketch {
  const sketch = createSketch();
  for (const value of set) addToSketch(sketch, value);
  return sketch;
}

/** `into` with `from` added; `from` stays as it is and shares nothing with the result. */
function union(into: Distinct | undefined, from: Distinct): Distinct {
  if (into === undefined) return from instanceof Set ? new Set(from) : Uint8Array.from(from);
  if (from instanceof Set) {
    let merged = into;
    for (const value of from) merged = add(merged, value);
    return merged;
  }
  const sketch = into instanceof Set ? toSketch(into) : into;
  mergeSketch(sketch, from);
  return sketch;
}

const KIND = { sketch: 0, number: 1, string: 2, bigint: 3 } as const;

function writeDistinct(out: ByteWriter, distinct: Distinct): void {
  if (!(distinct instanceof Set)) {
    writeByte(out, KIND.sketch);
    writeBlock(out, distinct);
    return;
  }
  writeByte(out, 1);
  writeCount(out, distinct.size);
  for (const value of distinct) {
    if (typeof value === 'number') {
      writeByte(out, KIND.number);
      writeDouble(out, value);
    } else {
      writeByte(out, typeof value === 'string' ? KIND.string : KIND.bigint);
      writeBlock(out, Buffer.from(value.toString()));
    }
  }
}

function readDistinct(bytes: ByteReader): Distinct {
  if (readByte(bytes) === KIND.sketch) return readBlock(bytes);
  const set = new Set<Countable>();
  for (let left = readCount(bytes); left > 0; left--) {
    const kind = readByte(bytes);
    if (kind === KIND.number) {
      set.add(readDouble(bytes));
    } else {
      const text = Buffer.from(readBlock(bytes)).toString();
      set.add(kind === KIND.string ? text : BigInt(text));
    }
  }
  return set;
}
