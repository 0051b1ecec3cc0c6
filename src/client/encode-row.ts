// Values as a caller has them to what JSON can say: every digit of an int64, NaN and the infinities, bytes, times.

import { HeadraceClientError } from './client-error.ts';

/** Members of a row, ready for JSON.stringify; those that are undefined are left out. `path` begins what errors name. */
export function encodeRow(row: unknown, path: string): Readonly<Record<string, unknown>> {
  if (row === null || typeof row !== 'object' || Array.isArray(row))
    throw unfit(path, 'an object of columns', describe(row));
  const encoded: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of Object.entries(row)) {
    if (value !== undefined) encoded[name] = encodeValue(value, `${path}.${name}`);
  }
  return encoded;
}

/** One value; throws HR_INVALID for what JSON has no form of. */
export function encodeValue(value: unknown, path: string): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      // Not a number and the infinities are text.
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? null : encodeObject(value, path);
    default:
      throw unfit(path, 'a value of a column', describe(value));
  }
}

function encodeObject(value: object, path: string): unknown {
  if (Array.isArray(value)) return value.map((item: unknown, at) => encodeValue(item, `${path}[${at}]`));
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw unfit(path, 'a time', 'an invalid Date');
    return value.toISOString();
  }
  if (value instanceof Uint8Array) return toBase64(value);
  if (value instanceof Float32Array || value instanceof Float64Array) {
    return Array.from(value, (item) => encodeValue(item, path));
  }
  throw unfit(path, 'a value of a column', describe(value));
}

/** Characters that String.fromCharCode is given at once: arguments have a limit. */
const PIECE = 0x8000;

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE) text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return btoa(text);
}

/** HR_INVALID, of something that is not sent. */
export function unfit(path: string, expected: string, came: string): HeadraceClientError {
  const message = `expected ${expected}, got ${came}`;
  return new HeadraceClientError(`${path}: ${message}.`, { code: 'HR_INVALID', errors: [{ path, message }] });
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  return Array.isArray(value) ? 'an array' : `a ${value.constructor?.name ?? 'bare object'}`;
}
