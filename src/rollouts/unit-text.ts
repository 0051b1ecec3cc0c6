// The text of what a row is assigned by, the same as an SDK makes of the value: a closure for each unit, compiled once.

import {
  type DataType,
  type Field,
  formatTimestamp,
  HeadraceError,
  stringifyJson,
  toJson,
  type Value,
} from '../core/index.ts';
import { sentFloat32 } from './sent-number.ts';

/** By the values of a row's columns and the request's id. '' is no unit: null, "", 0 and false are none. */
export type UnitText = (row: readonly Value[], requestId: string) => string;

/**
 * One column: a string as it stands, any other value's JSON text. Several: their JSON array's text. None: the request's id.
 * Throws HR_INVALID for one that is no column.
 */
export function compileUnitText(unit: readonly string[], columns: readonly Field[]): UnitText {
  const places = unit.map((name) => placeOf(name, columns));
  const fields = places.map((place) => columns[place] as Field);
  const [place] = places;
  const [field] = fields;
  if (place === undefined || field === undefined) return (_row, requestId) => requestId;
  if (fields.length === 1) {
    const text = compileText(field.type);
    return (row) => text(row[place] ?? null);
  }
  return (row) => stringifyJson(fields.map(({ type }, at) => jsonOf(type, row[places[at] as number] ?? null)));
}

/** Throws HR_INVALID. */
export function placeOf(column: string, columns: readonly Field[]): number {
  const place = columns.findIndex(({ name }) => name === column);
  if (place >= 0) return place;
  const known = columns.map(({ name }) => name).join(', ');
  throw new HeadraceError('HR_INVALID', `requests carry no column "${column}"; they carry ${known}.`);
}

function jsonOf(type: DataType, value: Value): unknown {
  // Of its type, or null.
  if (type.kind === 'float32' && value !== null) return toJson(type, sentFloat32(value as number));
  return toJson(type, value);
}

function compileText(type: DataType): (value: Value) => string {
  switch (type.kind) {
    case 'string':
      // Of its type, or null.
      return (value) => (value as string | null) ?? '';
    case 'bool':
    case 'int32':
    case 'int64':
      return (value) => (value === null || value === false || value === 0 || value === 0n ? '' : String(value));
    case 'float32':
      return (value) => (value === null || value === 0 ? '' : String(sentFloat32(value as number)));
    case 'float64':
      // What JSON has no number for is told as text: "Infinity".
      return (value) => (value === null || value === 0 ? '' : String(value));
    case 'timestamp':
      return (value) => (value === null ? '' : formatTimestamp(value as number));
    case 'bytes':
      return (value) => (value === null ? '' : (toJson(type, value) as string));
    default:
      return (value) => (value === null ? '' : stringifyJson(toJson(type, value)));
  }
}
