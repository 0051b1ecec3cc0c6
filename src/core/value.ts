// Values at the edge: JSON in, checked against a type; JSON out, exact; and one total order for all of them.

import { HeadraceError, type ErrorDetail } from './headrace-error.ts';
import { MOST_MISTAKES } from './input-mistakes.ts';
import { typeName, type DataType, type Field, type Row, type Value } from './data-type.ts';
import { FIRST_TIME, formatTimestamp, isFarTimestamp, LAST_TIME, parseTime } from './time.ts';

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** What `parseValue` gives for a JSON value that isn't one of the type. */
export const INVALID: unique symbol = Symbol('invalid');

/** Reads a JSON value as a value of `type`, or gives INVALID. Missing and null are null. No guessing: "1" is no int. */
export function parseValue(type: DataType, json: unknown): Value | typeof INVALID {
  if (json === null || json === undefined) return null;
  switch (type.kind) {
    case 'bool':
      return typeof json === 'boolean' ? json : INVALID;
    case 'int32':
      return typeof json === 'number' && Number.isInteger(json) && json >= INT32_MIN && json <= INT32_MAX
        ? json
        : INVALID;
    case 'int64':
      return parseInt64(json);
    case 'float32':
      return parseFloat32(json);
    case 'float64':
      return parseFloat64(json);
    case 'string':
      return typeof json === 'string' ? json : INVALID;
    case 'bytes':
      return parseBytes(json);
    case 'timestamp':
      return typeof json === 'string' ? (parseTime(json) ?? INVALID) : INVALID;
    case 'list': {
      if (!Array.isArray(json)) return INVALID;
      const items = json.map((item) => parseValue(type.of, item));
      return items.includes(INVALID) ? INVALID : (items as Value[]);
    }
    case 'vector': {
      if (!Array.isArray(json) || json.length !== type.size) return INVALID;
      const items = json.map(parseFloat32);
      return items.includes(INVALID) ? INVALID : Float32Array.from(items as number[]);
    }
  }
}

function parseInt64(json: unknown): bigint | typeof INVALID {
  if (typeof json === 'number') return Number.isSafeInteger(json) ? BigInt(json) : INVALID;
  if (typeof json === 'bigint') return json >= INT64_MIN && json <= INT64_MAX ? json : INVALID;
  return INVALID;
}

const DIGITS = /^-?(?:0|[1-9]\d{0,18})$/;

/**
 * As `parseValue`, of what clients send: an int64 may come as text with its digits, since many languages would lose some
 * of a number's.
 */
export function parseSent(type: DataType, json: unknown): Value | typeof INVALID {
  if (type.kind === 'int64' && typeof json === 'string') return DIGITS.test(json) ? parseInt64(BigInt(json)) : INVALID;
  if (type.kind !== 'list' || !Array.isArray(json)) return parseValue(type, json);
  const items = json.map((item) => parseSent(type.of, item));
  return items.includes(INVALID) ? INVALID : (items as Value[]);
}

const SPECIAL_FLOATS: Readonly<Record<string, number>> = { NaN: NaN, Infinity: Infinity, '-Infinity': -Infinity };

function parseFloat64(json: unknown): number | typeof INVALID {
  // JSON has no infinity but a number that is too large for a double, which would become another one in silence.
  if (typeof json === 'number') return Number.isFinite(json) ? json : INVALID;
  if (typeof json === 'bigint') return Number(json);
  return typeof json === 'string' && Object.hasOwn(SPECIAL_FLOATS, json) ? (SPECIAL_FLOATS[json] as number) : INVALID;
}

function parseFloat32(json: unknown): number | typeof INVALID {
  const parsed = parseFloat64(json);
  return parsed === INVALID ? INVALID : toFloat32(parsed);
}

/** The nearest float32; INVALID for a number past the range of those, which would become an infinity. */
export function toFloat32(value: number): number | typeof INVALID {
  const rounded = Math.fround(value);
  return Number.isFinite(rounded) || !Number.isFinite(value) ? rounded : INVALID;
}

// The last letter before the padding holds 4 or 2 bits that belong to no byte. They are 0, so that one value has one text.
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;

function parseBytes(json: unknown): Uint8Array | typeof INVALID {
  if (typeof json !== 'string' || !BASE64.test(json)) return INVALID;
  return new Uint8Array(Buffer.from(json, 'base64'));
}

/** How an int64 goes into JSON: a number with all its digits, or those digits as text. */
export type Int64Form = 'number' | 'text';

/**
 * The value as plain JSON data, for `stringifyJson`: a timestamp is RFC 3339, NaN is "NaN", an int64 stays a bigint unless its
 * `int64` form is text.
 */
export function toJson(type: DataType, value: Value, int64: Int64Form = 'number'): unknown {
  if (value === null) return null;
  switch (type.kind) {
    case 'int64':
      return int64 === 'text' ? String(value) : value;
    case 'float32':
    case 'float64':
      return Number.isFinite(value) ? value : String(value);
    case 'bytes':
      return Buffer.from(value as Uint8Array).toString('base64');
    case 'timestamp':
      return formatTimestamp(value as number);
    case 'list':
      return (value as readonly Value[]).map((item) => toJson(type.of, item, int64));
    case 'vector':
      return Array.from(value as Float32Array, (item) => (Number.isFinite(item) ? item : String(item)));
    default:
      return value;
  }
}

/** Reads a JSON object as a row of `fields`; mistakes go to `mistakes` under `path`. Unknown members are left out. */
export function parseRow(fields: readonly Field[], json: unknown, path: string, mistakes: ErrorDetail[]): Row {
  const row: Record<string, Value> = {};
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    mistakes.push({ path, message: `expected an object, got ${describe(json)}` });
    return row;
  }
  for (const { name, type } of fields) {
    const raw = Object.hasOwn(json, name) ? (json as Record<string, unknown>)[name] : null;
    const value = parseSent(type, raw);
    if (value === INVALID) {
      mistakes.push({ path: `${path}.${name}`, message: describeMistake(type, raw) });
      row[name] = null;
    } else {
      row[name] = value;
    }
  }
  return row;
}

/**
 * Reads JSON objects that have every member and no mistake, several times as quickly; undefined for any other, of which
 * `parseRow` says what is wrong. Compiled once for the fields.
 */
export function compileRowReader(fields: readonly Field[]): (json: unknown) => Row | undefined {
  const names = fields.map(({ name }) => name);
  const readers = fields.map(({ type }) => readerOf(type));
  return (json) => {
    if (json === null || typeof json !== 'object' || Array.isArray(json)) return undefined;
    const row: Record<string, Value> = {};
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      // Of an absent one, what the prototype has by that name is no JSON value.
      const raw = (json as Record<string, unknown>)[name];
      const value = raw === undefined ? INVALID : (readers[i] as ReadValue)(raw);
      if (value === INVALID) return undefined;
      row[name] = value;
    }
    return row;
  };
}

type ReadValue = (raw: unknown) => Value | typeof INVALID;

function readerOf(type: DataType): ReadValue {
  switch (type.kind) {
    case 'string':
      return (raw) => (typeof raw === 'string' ? raw : parseValue(type, raw));
    case 'float64':
      return (raw) => (Number.isFinite(raw) ? (raw as number) : parseValue(type, raw));
    case 'timestamp':
      return (raw) => (typeof raw === 'string' ? (parseTime(raw) ?? INVALID) : parseValue(type, raw));
    default:
      return (raw) => parseSent(type, raw);
  }
}

/** Reads JSON objects as rows of `fields`; throws HR_INVALID that names every wrong row and column (at most MOST_MISTAKES). */
export function parseRows(fields: readonly Field[], rows: readonly unknown[], path = 'rows'): Row[] {
  const mistakes: ErrorDetail[] = [];
  const parsed = rows.map((row, index) => parseRow(fields, row, `${path}[${index}]`, mistakes));
  if (mistakes.length > 0) throw invalid(mistakes);
  return parsed;
}

/** HR_INVALID with its details; the sentence holds the first. */
export function invalid(mistakes: readonly ErrorDetail[]): HeadraceError {
  const [first] = mistakes;
  const listed = mistakes.length > MOST_MISTAKES ? `, the first ${MOST_MISTAKES} are listed` : '';
  const more = mistakes.length > 1 ? ` (and ${mistakes.length - 1} more${listed})` : '';
  const sentence = first === undefined ? 'the input is invalid' : `${first.path}: ${first.message}${more}`;
  return new HeadraceError('HR_INVALID', sentence, { details: mistakes.slice(0, MOST_MISTAKES) });
}

/** The sentence about a JSON value that is none of `type`: what was expected, and what came. */
export function describeMistake(type: DataType, raw: unknown): string {
  const far = hasFarTime(type, raw) ? `: times go from ${FIRST_TIME} to ${LAST_TIME}` : '';
  return `expected ${typeName(type)}, got ${describe(raw)}${far}`;
}

function hasFarTime(type: DataType, raw: unknown): boolean {
  if (type.kind === 'list') return Array.isArray(raw) && raw.some((item) => hasFarTime(type.of, item));
  return type.kind === 'timestamp' && typeof raw === 'string' && isFarTimestamp(raw);
}

/** What came, in a few words for an error: its kind, and the value when short. */
export function describe(json: unknown): string {
  if (json === null || json === undefined) return 'null';
  if (Array.isArray(json)) return `an array of ${json.length}`;
  if (typeof json === 'object') return 'an object';
  const text = typeof json === 'string' ? JSON.stringify(json.slice(0, SHOWN + 1)) : String(json);
  return `${typeof json === 'bigint' ? 'number' : typeof json} ${text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text}`;
}

const SHOWN = 40;

/**
 * A total order of the values of one type: null first, then false < true, numbers by value with NaN last (−0 before
 * 0), strings and bytes by their (UTF-8) bytes, lists and vectors item by item, the shorter first.
 * It is DuckDB's order of `ORDER BY … ASC NULLS FIRST`, but for −0 and 0, which are equal there.
 */
export function compareValues(a: Value, b: Value): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  if (typeof a === 'number' && typeof b === 'number') return compareNumbers(a, b);
  if (typeof a === 'string' && typeof b === 'string')
    return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (typeof a === 'object' && typeof b === 'object') return compareItems(a as readonly Value[], b as readonly Value[]);
  return a === b ? 0 : (a as bigint) < (b as bigint) ? -1 : 1;
}

function compareNumbers(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return a === 0 ? compareZeros(a, b) : 0;
  return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : -1;
}

function compareZeros(a: number, b: number): number {
  return Object.is(a, b) ? 0 : Object.is(a, -0) ? -1 : 1;
}

function compareItems(a: readonly Value[], b: readonly Value[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareValues(a[i] as Value, b[i] as Value);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
