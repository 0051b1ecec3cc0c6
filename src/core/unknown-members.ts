// Likely typos in a JSON row: members that are no column, beside columns that the row lacks. Either alone is fine.

import type { ErrorDetail } from './headrace-error.ts';
import { noteMistake } from './input-mistakes.ts';
import { nearestName } from './suggest.ts';

const MOST_NAMED = 12;
const MOST_REPORTED = 5;
const LONGEST_NAME = 100;

/**
 * Adds a mistake for each member of `json` that is none of `columns`, if a column is absent too (null is not absent).
 * `ignored` are names that may come though they are no columns. To be called only where a column was found to be
 * absent: it looks at every member.
 */
export function reportUnknownMembers(
  json: object,
  columns: readonly string[],
  path: string,
  mistakes: ErrorDetail[],
  ignored: readonly string[] = [],
): void {
  const unknown = Object.keys(json).filter((member) => !columns.includes(member) && !ignored.includes(member));
  if (unknown.length === 0) return;
  const absent = columns.filter((name) => !Object.hasOwn(json, name));
  const present = columns.filter((name) => Object.hasOwn(json, name));
  const others = present.length === 0 ? '' : `; its other columns are ${quoted(present)}`;
  for (const member of unknown.slice(0, MOST_REPORTED).map((name) => name.slice(0, LONGEST_NAME))) {
    noteMistake(mistakes, () => ({
      path: `${path}.${member}`,
      message: `no such column; the row lacks ${quoted(absent)}${others}.${meant(member, absent)}`,
    }));
  }
}

function meant(member: string, absent: readonly string[]): string {
  const near =
    nearestName(member, absent) ?? absent.find((name) => name.toLowerCase().startsWith(member.toLowerCase()));
  return near === undefined ? '' : ` Did you mean "${near}"?`;
}

function quoted(names: readonly string[]): string {
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `${names
    .slice(0, MOST_NAMED)
    .map((name) => `"${name}"`)
    .join(', ')}${more}`;
}
