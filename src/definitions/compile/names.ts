// Which names users may give: identifiers for what becomes part of a full feature name, anything sane for columns.

import { didYouMean } from '../../core/index.ts';
import { describeResult } from '../calling/user-value.ts';

const IDENTIFIER = /^[A-Za-z][A-Za-z0-9_]*$/;
const LABEL = /^[A-Za-z][A-Za-z0-9_-]*$/;
/** Controls, marks that turn or join text, blanks: it would hide in our sentence, too. */
const HIDDEN = /[\p{C}\p{Z}]/u;
const MAX_LENGTH = 128;
const MAX_SHOWN = 60;
const MAX_DEPTH = 50;
/** Columns of ours in the user's tables begin so. */
/** Names of ours begin so; no column of a user's may. */
export const RESERVED_PREFIX = '__hr_';
/** The one member that JavaScript's objects lose when it is set. */
const PROTO = '__proto__';
const protoMistake = `the name "${PROTO}" is reserved: it is JavaScript's own. Rename it`;

/** What is wrong with a name that becomes part of full feature names and tensor names; undefined when nothing is. */
export function identifierMistake(name: unknown): string | undefined {
  return mistake(name, IDENTIFIER, 'a letter (a to z, A to Z), then such letters, digits and underscores');
}

/** The same for names that only people and URLs see, where a hyphen is fine. */
export function labelMistake(name: unknown): string | undefined {
  return mistake(name, LABEL, 'a letter (a to z, A to Z), then such letters, digits, underscores and hyphens');
}

/** The same for columns, which are named by the data: only what would collide with ours is refused. */
export function columnMistake(name: unknown): string | undefined {
  if (typeof name !== 'string') return `a column is named by text, got ${describeResult(name)}`;
  if (name === PROTO) return protoMistake;
  if (name.toLowerCase().startsWith(RESERVED_PREFIX)) {
    return `the name "${name}" is reserved: names that begin with "${RESERVED_PREFIX}" are Headrace's own. Rename the column`;
  }
  // Half a surrogate pair cannot be written in UTF-8.
  if (name.trim() === '' || name.length > MAX_LENGTH || /["\p{Cc}\p{Surrogate}]/u.test(name)) {
    return `${showName(name)} is no column name: use 1 to ${MAX_LENGTH} characters, without quotes or control characters`;
  }
  return undefined;
}

/** A name in quotes, or what came in place of one; the long ones cut. */
export function showName(name: unknown): string {
  if (typeof name !== 'string') return `(${describeResult(name)})`;
  return JSON.stringify(name.length > MAX_SHOWN ? `${name.slice(0, MAX_SHOWN)}…` : name);
}

/** ` Did you mean "x"?` for what should be a known name, as far as it is text. */
export function suggest(name: unknown, known: Iterable<string>): string {
  return typeof name === 'string' ? didYouMean(name, known) : '';
}

/** The same for plain data (tags, arguments, items), whose members can have any other name. */
export function dataMistake(data: unknown, depth = 0): string | undefined {
  if (data === null || typeof data !== 'object') return undefined;
  if (depth > MAX_DEPTH) return `data is at most ${MAX_DEPTH} levels deep, and does not hold itself`;
  if (!Array.isArray(data) && Object.hasOwn(data, PROTO)) return protoMistake;
  for (const item of Object.values(data)) {
    const found = dataMistake(item, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

// It may look like one that is allowed.
function foreignLetter(name: string): string {
  const [found] = /[^\0-\x7f]/u.exec(name) ?? [];
  const point = found?.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0');
  if (found === undefined) return '';
  return HIDDEN.test(found) ? `; it has U+${point}, which does not show` : `; its "${found}" is U+${point}`;
}

function mistake(name: unknown, pattern: RegExp, rule: string): string | undefined {
  if (typeof name !== 'string') return `a name must be text, got ${describeResult(name)}`;
  if (name.startsWith('__'))
    return `the name ${showName(name)} is reserved: a leading "__" is Headrace's own. Rename it`;
  if (name.includes('__'))
    return `the name ${showName(name)} is reserved: "__" separates a view from its feature in full names. Use one underscore`;
  if (!pattern.test(name)) return `${showName(name)} is not a good name: use ${rule}${foreignLetter(name)}`;
  if (name.length > MAX_LENGTH)
    return `the name ${showName(name)} has ${name.length} characters: use at most ${MAX_LENGTH}`;
  return undefined;
}
