// Whether two values are the same to an audit. −0 is 0: a Parquet file's dictionary holds one of the two for both.

import { compareValues, type Value } from '../../core/index.ts';

/** As `compareValues(a, b) === 0`, but that −0 and 0 are the same, also as items of lists and vectors. */
export function sameValue(a: Value, b: Value): boolean {
  if (typeof a === 'number' && a === b) return true;
  if (!isList(a) || !isList(b)) return compareValues(a, b) === 0;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!sameValue(a[i] ?? null, b[i] ?? null)) return false;
  return true;
}

const isList = (value: Value): value is readonly Value[] | Float32Array =>
  Array.isArray(value) || value instanceof Float32Array;
