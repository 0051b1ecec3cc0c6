// Request rows → values, by closures made once per service: no schema look-up per request.

import {
  type DataType,
  describe,
  type ErrorDetail,
  type Field,
  INVALID,
  parseTimestamp,
  parseValue,
  typeName,
  type Value,
} from '../core/index.ts';
import { reportUnknownMembers } from './unknown-members.ts';

/** A request row's values, in the order of the service's request columns. */
export type RequestRow = readonly Value[];

/**
 * Reads one JSON row; mistakes go to `mistakes` under `<path>[index]`. An absent column is null, a member of another name
 * is left out; both in one row are a mistake.
 */
export type RowParser = (json: unknown, index: number, mistakes: ErrorDetail[]) => RequestRow;

type ParseOne = (raw: unknown) => Value | typeof INVALID;

export function compileRowParser(columns: readonly Field[], path: string): RowParser {
  const names = columns.map((column) => column.name);
  const parsers = columns.map((column) => compileValueParser(column.type));
  const size = columns.length;
  return (json, index, mistakes) => {
    const row: Value[] = new Array<Value>(size);
    if (json === null || typeof json !== 'object' || Array.isArray(json)) {
      mistakes.push({ path: `${path}[${index}]`, message: `expected an object, got ${describe(json)}` });
      return row;
    }
    let isAbsent = false;
    for (let i = 0; i < size; i++) {
      const name = names[i] as string;
      // A name such as `constructor` is found on the prototype too; JSON objects have their members on themselves.
      let raw: unknown = null;
      if (Object.hasOwn(json, name)) raw = (json as Record<string, unknown>)[name];
      else isAbsent = true;
      const value = (parsers[i] as ParseOne)(raw);
      if (value === INVALID) {
        const expected = typeName((columns[i] as Field).type);
        mistakes.push({ path: `${path}[${index}].${name}`, message: `expected ${expected}, got ${describe(raw)}` });
        row[i] = null;
      } else {
        row[i] = value;
      }
    }
    if (isAbsent) reportUnknownMembers(json, names, `${path}[${index}]`, mistakes);
    return row;
  };
}

function compileValueParser(type: DataType): ParseOne {
  switch (type.kind) {
    case 'string':
      return (raw) => (typeof raw === 'string' ? raw : parseValue(type, raw));
    case 'float64':
      return (raw) => (typeof raw === 'number' ? raw : parseValue(type, raw));
    case 'float32':
      return (raw) => (typeof raw === 'number' ? Math.fround(raw) : parseValue(type, raw));
    case 'timestamp':
      return (raw) =>
        typeof raw === 'string' ? (parsePlainTimestamp(raw) ?? parseTimestamp(raw) ?? INVALID) : parseValue(type, raw);
    default:
      return (raw) => parseValue(type, raw);
  }
}

// `2026-11-24T10:00:00Z`, the form that clients send most, read without a regular expression; any other form, and days
// past the 28th (whose month must be looked at), go the general way.
function parsePlainTimestamp(text: string): number | undefined {
  if (text.length !== 20 || text.charCodeAt(19) !== 90 || text.charCodeAt(10) !== 84) return undefined;
  if (
    text.charCodeAt(4) !== 45 ||
    text.charCodeAt(7) !== 45 ||
    text.charCodeAt(13) !== 58 ||
    text.charCodeAt(16) !== 58
  )
    return undefined;
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const [month, day] = [twoDigits(text, 5), twoDigits(text, 8)];
  const [hour, minute, second] = [twoDigits(text, 11), twoDigits(text, 14), twoDigits(text, 17)];
  const isPlain =
    year >= 1000 && month >= 1 && month <= 12 && day >= 1 && day <= 28 && hour <= 23 && minute <= 59 && second <= 59;
  return isPlain ? Date.UTC(year, month - 1, day, hour, minute, second) * 1000 : undefined;
}

// NaN, which no comparison above lets through, when either is no digit.
function twoDigits(text: string, at: number): number {
  const [tens, ones] = [text.charCodeAt(at) - 48, text.charCodeAt(at + 1) - 48];
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
}
