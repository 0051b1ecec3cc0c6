// Values as a user's function sees them, and back: a timestamp is a Date to the user and microseconds inside.

import { compileFunction } from 'node:vm';
import {
  absentValueOf,
  type DataType,
  type Field,
  INVALID,
  parseTimestamp,
  toDate,
  toFloat32,
  type Value,
} from '../../core/index.ts';

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

type ToUser = (value: Value) => unknown;
type FromUser = (value: unknown) => Value | typeof INVALID;

/** Compiled once per column: undefined when a user sees the value as it is. */
export function toUserOf(type: DataType): ToUser | undefined {
  if (type.kind === 'timestamp') return (value) => (value === null ? null : toDate(value as number));
  if (type.kind !== 'list') return undefined;
  const item = toUserOf(type.of);
  return item === undefined ? undefined : (value) => (value === null ? null : (value as readonly Value[]).map(item));
}

/**
 * Compiled once per list of fields: their values, in order, as the object that a user's function sees. Of a request's columns
 * (`isRequest`) the default stands in for null.
 */
export function rowMaker(
  fields: readonly Field[],
  isRequest = false,
): (values: readonly Value[]) => Readonly<Record<string, unknown>> {
  const convert = fields.map((field): ToUser | undefined => {
    const toUser = toUserOf(field.type);
    const absent = isRequest ? absentValueOf(field) : undefined;
    if (absent === undefined) return toUser;
    return (value) => (toUser ?? same)(value ?? absent());
  });
  const members = fields.map(({ name }, at) => {
    const value = `values[${at}] ?? null`;
    return `${memberName(name)}: ${convert[at] === undefined ? value : `convert[${at}](${value})`}`;
  });
  return compiled<(values: readonly Value[]) => Readonly<Record<string, unknown>>>(
    `(convert) => (values) => ({ ${members.join(', ')} })`,
  )(convert);
}

/** Reads the members of a user's row in order; undefined where one is not there. Compiled once per list of names. */
export function memberReader(names: readonly string[]): (row: object) => unknown[] {
  const members = names.map((name) => `row[${JSON.stringify(name)}]`);
  return compiled<(row: object) => unknown[]>(`() => (row) => [${members.join(', ')}]`)(undefined);
}

const same: ToUser = (value) => value;

// As a member of its own, never the prototype.
function memberName(name: string): string {
  return name === '__proto__' ? '["__proto__"]' : JSON.stringify(name);
}

/**
 * Code that is made of quoted names and positions alone: an object's members are written out, so that each row has one
 * shape from the start; set one by one by name, thirty of them cost a microsecond.
 */
function compiled<F>(code: string): (given: unknown) => F {
  return compileFunction(`'use strict'; return (${code})(given)`, ['given']) as (given: unknown) => F;
}

/** Compiled once per column: a user's result as a value of the type, or INVALID. Undefined is null. */
export function fromUserOf(type: DataType): FromUser {
  const check = checkOf(type);
  return (value) => (value === null || value === undefined ? null : check(value));
}

export function fromUser(type: DataType, value: unknown): Value | typeof INVALID {
  return fromUserOf(type)(value);
}

function checkOf(type: DataType): FromUser {
  switch (type.kind) {
    case 'bool':
      return (value) => (typeof value === 'boolean' ? value : INVALID);
    case 'int32':
      return (value) =>
        typeof value === 'number' && Number.isInteger(value) && value >= INT32_MIN && value <= INT32_MAX
          ? value
          : INVALID;
    case 'int64':
      return int64;
    case 'float32':
      return (value) => (typeof value === 'number' ? toFloat32(value) : INVALID);
    case 'float64':
      return (value) => (typeof value === 'number' ? value : INVALID);
    case 'string':
      return (value) => (typeof value === 'string' ? value : INVALID);
    case 'bytes':
      return (value) => (value instanceof Uint8Array ? value : INVALID);
    case 'timestamp':
      return timestamp;
    case 'list': {
      const item = fromUserOf(type.of);
      return (value) => {
        if (!Array.isArray(value)) return INVALID;
        const items = value.map(item);
        return items.includes(INVALID) ? INVALID : (items as Value[]);
      };
    }
    case 'vector':
      return (value) => vector(value, type.size);
  }
}

function int64(value: unknown): Value | typeof INVALID {
  if (typeof value === 'bigint') return value >= INT64_MIN && value <= INT64_MAX ? value : INVALID;
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : INVALID;
}

// It may be an event time, with which one reckons: those go as far as `Micros` do.
function timestamp(value: unknown): Value | typeof INVALID {
  if (value instanceof Date) {
    const micros = value.getTime() * 1000;
    return Number.isSafeInteger(micros) ? micros : INVALID;
  }
  return typeof value === 'string' ? (parseTimestamp(value) ?? INVALID) : INVALID;
}

function vector(value: unknown, size: number): Value | typeof INVALID {
  if (value instanceof Float32Array) return value.length === size ? value : INVALID;
  if (!Array.isArray(value) || value.length !== size || !value.every((item) => typeof item === 'number'))
    return INVALID;
  const items = (value as number[]).map(toFloat32);
  return items.includes(INVALID) ? INVALID : Float32Array.from(items as number[]);
}

/** What a function gave, in a few words for an error. */
export function describeResult(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'string') return `string ${JSON.stringify(value.slice(0, 40))}`;
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'an invalid Date' : `a Date (${value.toISOString()})`;
  if (value instanceof Promise) return 'a Promise: the function must be synchronous';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value === null) return 'null';
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') {
    return `${typeof value} ${value}`;
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
