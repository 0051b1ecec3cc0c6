// A text that DuckDB gives keeps its beginning. The binding decodes with a `TextDecoder` that drops a leading U+FEFF, so that two
// keys or values became one; its decoder is a property of its module, which each text is read through.

import accessors from '@duckdb/node-api/lib/vectors/dataAccessors.js';

/** Lets this thread's DuckDB give each text with a leading U+FEFF as it is. */
export function keepWholeTexts(): void {
  Reflect.set(accessors, 'textDecoder', new TextDecoder('utf-8', { ignoreBOM: true }));
}
