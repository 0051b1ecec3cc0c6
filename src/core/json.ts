// JSON with what the platform's lacks: whole numbers beyond 2^53 keep all digits both ways, and a canonical form.

/** A JSON value as `parseJson` gives it: whole numbers outside ±(2^53 − 1) are bigint. */
export type Json = string | number | bigint | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * Like JSON.parse, but a whole number beyond the safe range becomes a bigint, unless it has more than 40 digits: no column
 * holds those. Throws SyntaxError, and RangeError where such numbers are in what is nested some thousand levels deep.
 */
export function parseJson(text: string): Json {
  return LARGE_INTEGER.test(text) ? (JSON.parse(text, keepDigits) as Json) : (JSON.parse(text) as Json);
}

// Sixteen digits in a row are the least that can leave the safe range; only then is the slow reviver needed. Those of a
// fraction don't count: a measured double has as many.
const LARGE_INTEGER = /(?:^|[\s:,[-])\d{16}/;

function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && WHOLE.test(source) ? BigInt(source) : value;
}

// A bigint of a million digits takes a second to make.
const WHOLE = /^-?\d{1,40}$/;

/** Like JSON.stringify, but a bigint is written as a number with all its digits. */
export function stringifyJson(value: unknown, space?: number): string {
  return JSON.stringify(value, writeDigits, space);
}

// JSON.rawJSON is in Node from 22 on; TypeScript's library doesn't know it yet.
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

function writeDigits(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? rawJson(value.toString()) : value;
}

/** One text for equal values: keys sorted by code unit, no space, undefined members left out. */
export function canonicalJson(value: unknown): string {
  return stringifyJson(sortKeys(value));
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  const sorted: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort()) sorted[key] = sortKeys((value as Record<string, unknown>)[key]);
  return sorted;
}
