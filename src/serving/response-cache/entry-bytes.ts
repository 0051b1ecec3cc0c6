// What an entry takes of memory, as the bounds count it: measured, test/heavy/response-cache-memory.test.ts holds it to that.

import type { Value } from '../../core/index.ts';

/** The entry with its place in the map and in the list, and the arrays' and texts' own heads. */
const ENTRY_BYTES = 215;
/** A value's place in the outputs, with a number that is no small integer behind it. */
const VALUE_BYTES = 24;
/** A typed array beyond its elements. */
const ARRAY_BYTES = 200;

/** `outputs` are the entry's own: nobody else keeps them. */
export function entryBytes(key: string, outputs: readonly Value[]): number {
  let bytes = ENTRY_BYTES + textBytes(key);
  for (let i = 0; i < outputs.length; i++) bytes += VALUE_BYTES + valueBytes(outputs[i] as Value);
  return bytes;
}

function valueBytes(value: Value): number {
  if (typeof value === 'string') return textBytes(value);
  if (value instanceof Float32Array || value instanceof Uint8Array) return ARRAY_BYTES + value.byteLength;
  return 0;
}

// One sign of more than eight bits makes all of a text's sixteen.
const BEYOND_LATIN1 = /[^\0-\xff]/;

function textBytes(text: string): number {
  return BEYOND_LATIN1.test(text) ? 2 * text.length : text.length;
}
