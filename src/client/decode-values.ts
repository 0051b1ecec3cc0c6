// Values of answers by their columns' types. Without types they stay as JSON has them.

import type { ColumnTypes } from './api.ts';
import { HeadraceClientError } from './client-error.ts';
import type { Int64Form } from './column-values.ts';

type Decode = (value: unknown, path: string) => unknown;
type Values = Readonly<Record<string, unknown>>;

/** Turns an answer's values by name into what the types say; null stays null, names that it doesn't know stay as they are. */
export type DecodeValues = (values: Values, path: string) => Values;

export function decoderOf(columns: ColumnTypes | undefined, int64: Int64Form): DecodeValues {
  const decoders = new Map<string, Decode>();
  for (const [name, type] of Object.entries(columns ?? {})) {
    const decode = decodeOf(type.replace(/\?$/, ''), int64);
    if (decode !== undefined) decoders.set(name, orNull(decode));
  }
  if (decoders.size === 0) return (values) => values;
  return (values, path) => {
    const decoded: Record<string, unknown> = { ...values };
    for (const [name, decode] of decoders) {
      if (Object.hasOwn(values, name)) decoded[name] = decode(values[name], `${path}.${name}`);
    }
    return decoded;
  };
}

/** The same where each name has an array of all rows' values. */
export function columnsDecoderOf(columns: ColumnTypes | undefined, int64: Int64Form): DecodeValues {
  if (columns === undefined) return (values) => values;
  const lists = Object.entries(columns).map(([name, type]) => [name, `list(${type.replace(/\?$/, '')})`]);
  return decoderOf(Object.fromEntries(lists) as ColumnTypes, int64);
}

/** Undefined where JSON's own value is the value. */
function decodeOf(type: string, int64: Int64Form): Decode | undefined {
  const [, item] = /^list\((.*)\)$/.exec(type) ?? [];
  if (item !== undefined) return decodeList(item, int64);
  // Which of them it is can't be told.
  if (type.includes('|')) return undefined;
  if (type.startsWith('vector('))
    return (value, path) => Float32Array.from(arrayOf(value, path), (item, at) => toNumber(item, `${path}[${at}]`));
  switch (type) {
    case 'int64':
      return int64 === 'string' ? undefined : int64 === 'bigint' ? toBigInt : toSafeNumber;
    case 'float32':
    case 'float64':
      return toNumber;
    case 'bytes':
      return toBytes;
    default:
      return undefined;
  }
}

function decodeList(item: string, int64: Int64Form): Decode | undefined {
  const decode = decodeOf(item, int64);
  if (decode === undefined) return undefined;
  const each = orNull(decode);
  return (value, path) => arrayOf(value, path).map((one, at) => each(one, `${path}[${at}]`));
}

const orNull =
  (decode: Decode): Decode =>
  (value, path) =>
    value === null ? null : decode(value, path);

const SPECIAL: ReadonlySet<unknown> = new Set(['NaN', 'Infinity', '-Infinity']);

function toNumber(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  // Number reads them as they are written.
  if (SPECIAL.has(value)) return Number(value);
  throw unexpected(path, 'a number', value);
}

function toBytes(value: unknown, path: string): Uint8Array {
  try {
    if (typeof value === 'string') return Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
  } catch {
    // No base64.
  }
  throw unexpected(path, 'base64', value);
}

function toBigInt(value: unknown, path: string): bigint {
  if (typeof value === 'string' && /^-?\d{1,19}$/.test(value)) return BigInt(value);
  throw unexpected(path, 'a whole number as text', value);
}

function toSafeNumber(value: unknown, path: string): number {
  const exact = toBigInt(value, path);
  const number = Number(exact);
  if (Number.isSafeInteger(number)) return number;
  throw new HeadraceClientError(
    `${path} is ${String(exact)}, of which a number loses digits. Make the client with int64: 'bigint' or 'string'.`,
    { code: 'HR_LOST_DIGITS' },
  );
}

function arrayOf(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unexpected(path, 'an array', value);
}

function unexpected(path: string, expected: string, came: unknown): HeadraceClientError {
  return new HeadraceClientError(
    `the answer has ${came === null ? 'null' : typeof came} at ${path}, where ${expected} was expected. Do the client's types fit the server? \`headrace types\` writes them anew.`,
    { code: 'HR_UNEXPECTED_ANSWER' },
  );
}
