// A row's key as a text to look its part up by: made several times as quickly as the key's bytes, which only a part that is
// new needs.

import type { Row, Value } from '../core/index.ts';

/** Two rows get one text where `encodeKey` gives them one key; undefined where a part of the key is null. */
export function compileKeyText(columns: readonly string[]): (row: Row) => string | undefined {
  const [only = ''] = columns;
  return columns.length === 1 ? (row) => textOf(row[only]) : (row) => joinedTextOf(columns, row);
}

// As `encodeKey`: −0 is 0, every NaN is one, a lone surrogate is what UTF-8 makes of it.
function textOf(value: Value | undefined): string | undefined {
  if (typeof value === 'string') return value.toWellFormed();
  if (value === null || value === undefined) return undefined;
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);
}

function joinedTextOf(columns: readonly string[], row: Row): string | undefined {
  let joined = '';
  for (const column of columns) {
    const text = textOf(row[column]);
    if (text === undefined) return undefined;
    // With their lengths, so that no two lists of texts are joined alike.
    joined += `${text.length}:${text}`;
  }
  return joined;
}
