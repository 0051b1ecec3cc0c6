// Values of one Arrow column as values of a column of the definitions: nothing is lost in silence. Compiled once for a stream's
// column and the type that it has to have.

import { type DataType, typeName } from '../../core/index.ts';
import { type ArrowType, arrowTypeName } from './arrow-type.ts';
import { bufferOf, type Cell, isSet, LEAST_BYTES, type ReadCell, type ReadCells } from './cells.ts';
import { dictionaryReader } from './dictionary-cells.ts';
import { listReader } from './list-cells.ts';
import { integerReader, numberReader } from './number-cells.ts';
import type { ArrowField } from './read-schema.ts';
import type { ColumnData } from './read-stream.ts';
import type { Room } from './room.ts';
import { bytesReader, textReader } from './text-cells.ts';
import { dateReader, timestampReader } from './time-cells.ts';

/** Undefined where no column of the Arrow type is one of `type`. */
export function compileCells(field: ArrowField, type: DataType): ReadCells | undefined {
  if (field.type.kind === 'null') return ({ length }, room) => nulls(length, room);
  if (field.dictionary !== undefined) return dictionaryReader(field, field.dictionary, type, compileCells);
  const open = openerOf(field, type);
  if (open === undefined) return undefined;
  return (data, room) => {
    const read = open(data, room);
    const cells = new Array<Cell>(data.length);
    const { validity } = data;
    for (let at = 0; at < data.length; at++)
      cells[at] = validity === undefined || isSet(validity, at) ? read(at) : null;
    return cells;
  };
}

/** What a column of the type may be sent as. */
export function takenFor(type: DataType): string {
  switch (type.kind) {
    case 'bool':
      return 'Bool';
    case 'int32':
    case 'int64':
      return 'Int8 to Int64 or UInt8 to UInt64';
    case 'float32':
    case 'float64':
      return 'Float32, Float64, Int8 to Int64 or UInt8 to UInt64';
    case 'string':
      return 'Utf8, LargeUtf8 or Utf8View';
    case 'bytes':
      return 'Binary, LargeBinary, FixedSizeBinary or BinaryView';
    case 'timestamp':
      return 'Timestamp, Date32 or Date64';
    case 'list':
    case 'vector':
      return 'List, LargeList or FixedSizeList of the like';
  }
}

/** As `expected float64, got a column of Utf8`. */
export function describeMisfit(field: ArrowField, type: DataType): string {
  const encoded = field.dictionary === undefined ? '' : 'Dictionary of ';
  const of =
    field.children.length === 0 ? '' : ` of ${field.children.map((one) => arrowTypeName(one.type)).join(', ')}`;
  const came = `${encoded}${arrowTypeName(field.type)}${of}`;
  return `expected ${typeName(type)}, got a column of ${came}; it goes as ${takenFor(type)}`;
}

type Open = (data: ColumnData, room: Room) => ReadCell;

function openerOf(field: ArrowField, type: DataType): Open | undefined {
  const from: ArrowType = field.type;
  switch (type.kind) {
    case 'bool':
      return from.kind === 'bool' ? openBits : undefined;
    case 'int32':
    case 'int64':
      return from.kind === 'int' ? integerReader(from, type) : undefined;
    case 'float32':
    case 'float64':
      return from.kind === 'int' || from.kind === 'float' ? numberReader(from, type) : undefined;
    case 'string':
      return from.kind === 'text' || from.kind === 'textView' ? textReader(from) : undefined;
    case 'bytes':
      return from.kind === 'binary' || from.kind === 'binaryView' || from.kind === 'fixedBinary'
        ? bytesReader(from)
        : undefined;
    case 'timestamp':
      if (from.kind === 'timestamp') return timestampReader(from);
      return from.kind === 'date' ? dateReader(from) : undefined;
    case 'list':
    case 'vector':
      return from.kind === 'list' || from.kind === 'fixedList'
        ? listReader(field, from, type, compileCells)
        : undefined;
  }
}

const openBits: Open = ({ length, buffers }) => {
  const bits = bufferOf(buffers, 0, Math.ceil(length / 8));
  return (at) => isSet(bits, at);
};

function nulls(length: number, room: Room): Cell[] {
  room.take(length * LEAST_BYTES);
  return new Array<Cell>(length).fill(null);
}
