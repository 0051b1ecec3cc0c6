// Lists of any nesting, and vectors, which are lists of so many numbers.

import type { DataType, Value } from '../../core/index.ts';
import type { ArrowType } from './arrow-type.ts';
import { type Cell, type CompileCells, LEAST_BYTES, type ReadCell, WrongCell } from './cells.ts';
import { malformed } from './malformed.ts';
import type { ArrowField } from './read-schema.ts';
import type { ColumnData } from './read-stream.ts';
import type { Room } from './room.ts';
import { checkSpan, offsets } from './text-cells.ts';

type List = Extract<ArrowType, { readonly kind: 'list' | 'fixedList' }>;
type OfItems = Extract<DataType, { readonly kind: 'list' | 'vector' }>;

export function listReader(
  { children }: ArrowField,
  from: List,
  type: OfItems,
  compileCells: CompileCells,
): ((data: ColumnData, room: Room) => ReadCell) | undefined {
  const [child] = children;
  // A dictionary's values would stand for many within one value of the row.
  if (child === undefined || child.dictionary !== undefined) return undefined;
  const readItems = compileCells(child, type.kind === 'list' ? type.of : { kind: 'float32' });
  if (readItems === undefined) return undefined;
  return (data, room) => {
    const [items] = data.children;
    if (items === undefined) throw malformed('a list has no items');
    if (child.type.kind !== 'null') room.take(items.length * LEAST_BYTES);
    const spanAt = spansOf(from, data, items.length);
    const cells = readItems(items, room);
    return (at) => {
      const [start, end] = spanAt(at);
      return asValue(cells.slice(start, end), type);
    };
  };
}

function spansOf(from: List, { length, buffers }: ColumnData, items: number): (at: number) => [number, number] {
  if (from.kind === 'fixedList') {
    if (length * from.size > items) throw malformed('a list of a fixed size has too few items');
    return (at) => [at * from.size, (at + 1) * from.size];
  }
  const offsetAt = offsets(buffers, length, from.offsetBytes);
  return (at) => {
    const span: [number, number] = [offsetAt(at), offsetAt(at + 1)];
    checkSpan(...span, items);
    return span;
  };
}

function asValue(items: readonly Cell[], type: OfItems): Cell {
  for (const [at, item] of items.entries()) {
    if (item instanceof WrongCell) return new WrongCell(type, items, `: item ${at}: ${item.message}`);
    if (item === null && type.kind === 'vector') return new WrongCell(type, items, `: item ${at} is null`);
  }
  // None of them is wrong.
  if (type.kind === 'list') return items as Value[];
  return items.length === type.size ? Float32Array.from(items as number[]) : new WrongCell(type, items);
}
