// Request rows → values, by closures made once per service: no schema look-up per request, and no words before there is a
// mistake.

import {
  absentValueOf,
  type DataType,
  describe,
  describeMistake,
  type ErrorDetail,
  type Field,
  INVALID,
  toFloat32,
  noteMistake,
  parseSent,
  parseTime,
  parseValue,
  reportUnknownMembers,
  type Value,
} from '../core/index.ts';
import { mayLack } from '../definitions/index.ts';

/** A request row's values, in the order of the service's request columns. */
export type RequestRow = readonly Value[];

/**
 * Reads one JSON row; mistakes go to `mistakes` under `<path>[index]`. A column that is absent or null is its default, or null
 * where it is optional, else a mistake. A member of another name is left out, but a mistake where a column is absent: a
 * likely slip.
 */
export type RowParser = (json: unknown, index: number, mistakes: ErrorDetail[]) => RequestRow;

/** Of one column's value; an absent one is undefined. */
export type ColumnParser = (raw: unknown) => Value | typeof INVALID;

type JsonRow = Readonly<Record<string, unknown>>;

export function compileRowParser(columns: readonly Field[], path: string): RowParser {
  const size = columns.length;
  const names = columns.map((column) => column.name);
  const parsers = columns.map(compileColumnParser);
  const known = new Set(names);
  const parseSlowly = compileSlowParser(columns, parsers, path);
  // Of an object without a `constructor` of its own, the prototype's is read.
  const hasInherited = names.some((name) => name in Object.prototype);
  return (json, index, mistakes) => {
    if (hasInherited || json === null || typeof json !== 'object' || Array.isArray(json))
      return parseSlowly(json, index, mistakes);
    const row = new Array<Value>(size);
    let isAbsent = false;
    for (let i = 0; i < size; i++) {
      const raw = (json as JsonRow)[names[i] as string];
      if (raw === undefined) isAbsent = true;
      const value = (parsers[i] as ColumnParser)(raw);
      if (value === INVALID) return parseSlowly(json, index, mistakes);
      row[i] = value;
    }
    return isAbsent && hasOthers(json, known) ? parseSlowly(json, index, mistakes) : row;
  };
}

// Says all that is wrong with a row.
function compileSlowParser(columns: readonly Field[], parsers: readonly ColumnParser[], path: string): RowParser {
  const names = columns.map((column) => column.name);
  return (json, index, mistakes) => {
    const row = new Array<Value>(columns.length).fill(null);
    const here = `${path}[${index}]`;
    if (json === null || typeof json !== 'object' || Array.isArray(json)) {
      noteMistake(mistakes, () => ({ path: here, message: `expected an object, got ${describe(json)}` }));
      return row;
    }
    let isAbsent = false;
    columns.forEach((column, i) => {
      const isThere = Object.hasOwn(json, column.name);
      if (!isThere) isAbsent = true;
      const raw = isThere ? (json as JsonRow)[column.name] : undefined;
      const value = (parsers[i] as ColumnParser)(raw);
      if (value !== INVALID) row[i] = value;
      else
        noteMistake(mistakes, () => ({
          path: `${here}.${column.name}`,
          message: describeWrong(column.type, raw, isThere),
        }));
    });
    if (isAbsent) reportUnknownMembers(json, names, here, mistakes);
    return row;
  };
}

function hasOthers(json: object, known: ReadonlySet<string>): boolean {
  for (const name in json) if (!known.has(name)) return true;
  return false;
}

/** What is said of a column that is not there. */
export const REQUIRED = 'Every row must carry it, unless its definition says .optional() or .default(…)';

/** What is said of a value that its column's parser refused. `isThere`: it was in the row. */
export function describeWrong(type: DataType, raw: unknown, isThere: boolean): string {
  const mistake = describeMistake(type, raw);
  if (!isThere) return `${mistake.replace(/null$/, 'nothing')}. ${REQUIRED}`;
  if (raw === null) return `${mistake}. ${REQUIRED}`;
  if (hasOverflow(type, raw)) return `${mistake}: ${OVERFLOW}`;
  return hasHalfPair(type, raw) ? `${mistake}: half of a surrogate pair is no text` : mistake;
}

export function compileColumnParser(column: Field): ColumnParser {
  const parse = compileValueParser(column.type);
  if (!mayLack(column)) return parse;
  const absent = absentValueOf(column);
  return absent === undefined
    ? (raw) => (raw === null || raw === undefined ? null : parse(raw))
    : (raw) => (raw === null || raw === undefined ? absent() : parse(raw));
}

// Null is INVALID, and so is text that no text can be.
function compileValueParser(type: DataType): ColumnParser {
  switch (type.kind) {
    case 'string':
      return (raw) => (typeof raw === 'string' && raw.isWellFormed() ? raw : INVALID);
    case 'float64':
      return (raw) => (Number.isFinite(raw) ? (raw as number) : parseRequired(type, raw));
    case 'float32':
      return (raw) => (Number.isFinite(raw) ? toFloat32(raw as number) : parseRequired(type, raw));
    case 'timestamp':
      return (raw) => (typeof raw === 'string' ? (parseTime(raw) ?? INVALID) : INVALID);
    default:
      return (raw) => parseRequired(type, raw);
  }
}

function parseRequired(type: DataType, raw: unknown): Value | typeof INVALID {
  return raw === null || raw === undefined ? INVALID : parseInside(type, raw);
}

// As `parseValue`, and int64 may come as text; a number that overflows is none. A list's items may be null.
function parseInside(type: DataType, raw: unknown): Value | typeof INVALID {
  if (raw === null) return null;
  switch (type.kind) {
    case 'string':
      return typeof raw === 'string' && raw.isWellFormed() ? raw : INVALID;
    case 'int64':
      return parseSent(type, raw);
    case 'float32':
    case 'float64':
    case 'vector':
      return hasOverflow(type, raw) ? INVALID : parseValue(type, raw);
    case 'list': {
      if (!Array.isArray(raw)) return INVALID;
      const items = raw.map((item) => parseInside(type.of, item));
      return items.includes(INVALID) ? INVALID : (items as Value[]);
    }
    default:
      return parseValue(type, raw);
  }
}

// JSON's digits may name a number that the type doesn't hold (1e400, or 1e39 of a float32): it comes as a number, an infinity, or
// a bigint.
function hasOverflow(type: DataType, raw: unknown): boolean {
  if (Number.isFinite(raw)) return type.kind === 'float32' && toFloat32(raw as number) === INVALID;
  if (type.kind === 'list' || type.kind === 'vector') {
    const of: DataType = type.kind === 'list' ? type.of : { kind: 'float32' };
    return Array.isArray(raw) && raw.some((item) => hasOverflow(of, item));
  }
  if (type.kind !== 'float32' && type.kind !== 'float64') return false;
  if (typeof raw !== 'number' && typeof raw !== 'bigint') return false;
  const number = Number(raw);
  return !Number.isFinite(number) || (type.kind === 'float32' && toFloat32(number) === INVALID);
}

const OVERFLOW = 'a number past what it holds. Infinity goes as text, "Infinity" or "-Infinity"';

// As deep as the type goes: what a client nests has no end.
function hasHalfPair(type: DataType, raw: unknown): boolean {
  if (type.kind === 'list') return Array.isArray(raw) && raw.some((item) => hasHalfPair(type.of, item));
  return typeof raw === 'string' && !raw.isWellFormed();
}
