// Dictionary-encoded columns (a DataFrame's categories): each value of the dictionary is read once, and counted wherever a row
// has it.

import type { DataType } from '../../core/index.ts';
import { type Cell, type CompileCells, isSet, LEAST_BYTES, type ReadCells, viewOf } from './cells.ts';
import { malformed } from './malformed.ts';
import { smallIntAt } from './number-cells.ts';
import type { ArrowField, DictionaryRef } from './read-schema.ts';
import type { ColumnData } from './read-stream.ts';
import type { Room } from './room.ts';

export function dictionaryReader(
  field: ArrowField,
  ref: DictionaryRef,
  type: DataType,
  compileCells: CompileCells,
): ReadCells | undefined {
  // What is nested could stand for itself many times over.
  if (field.children.length > 0) return undefined;
  const readValues = compileCells({ ...field, dictionary: undefined }, type);
  if (readValues === undefined) return undefined;
  const readOnce = onceForEach(readValues);
  return (data, room) => {
    const { length, validity, buffers, dictionary = [] } = data;
    const values = readOnce(dictionary, room);
    const view = viewOf(buffers, 0, length * ref.index.bytes);
    const indexAt =
      ref.index.bytes === 8 ? (at: number) => Number(view.getBigInt64(at * 8, true)) : smallIntAt(view, ref.index);
    const cells = new Array<Cell>(length).fill(null);
    for (let at = 0; at < length; at++) {
      if (validity !== undefined && !isSet(validity, at)) continue;
      const value = values[indexAt(at)];
      if (value === undefined) throw malformed(`column "${field.name}" points outside of its dictionary`);
      room.take(sizeOf(value));
      cells[at] = value;
    }
    return cells;
  };
}

type ReadAll = (pieces: readonly ColumnData[], room: Room) => readonly Cell[];

/** Several batches mostly share one. */
function onceForEach(read: ReadCells): ReadAll {
  const known = new WeakMap<readonly ColumnData[], readonly Cell[]>();
  return (pieces, room) => {
    let values = known.get(pieces);
    if (values !== undefined) return values;
    for (const { length } of pieces) room.take(length * LEAST_BYTES);
    known.set(pieces, (values = pieces.flatMap((piece) => read(piece, room))));
    return values;
  };
}

/** Text at least; of what else there is each value takes no more than its index. */
function sizeOf(value: Cell): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 0;
}
