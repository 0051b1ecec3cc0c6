// Rows that no view would count: without the time of their event, or without a key for any view. A push takes and counts
// them as ignored; of a topic they are told apart, since nobody reads the answer.

import type { Manifest, SourceSpec } from '../definitions/index.ts';
import type { JsonRow } from './decode/decoder.ts';

/** Gives why a row would count nowhere; undefined for one that may. */
export function compileKeyless(source: SourceSpec, manifest: Manifest): (row: JsonRow) => string | undefined {
  const declared = new Set(source.columns.map(({ name }) => name));
  const hasEventTime = declared.has(source.eventTime);
  const views = Object.values(manifest.views).filter((view) => view.source === source.name);
  // What is derived is known only once it is.
  const keys = views.map(({ keyColumns }) => keyColumns.filter((name) => declared.has(name)));
  const columns = [...new Set(keys.flat())];
  const lacks = (row: JsonRow, name: string): boolean => row[name] === null || row[name] === undefined;
  return (row) => {
    if (hasEventTime && lacks(row, source.eventTime)) return `it has no event time: ${source.eventTime} is missing`;
    if (keys.length === 0 || !keys.every((own) => own.some((name) => lacks(row, name)))) return undefined;
    const missing = columns.filter((name) => lacks(row, name));
    return `it has no key for any view: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`;
  };
}
