// Which names users may give: identifiers for what becomes part of a full feature name, anything sane for columns.

const IDENTIFIER = /^[A-Za-z][A-Za-z0-9_]*$/;
const LABEL = /^[A-Za-z][A-Za-z0-9_-]*$/;
const MAX_LENGTH = 128;
/** Columns of ours in the user's tables begin so. */
const RESERVED_PREFIX = '__hr_';
/** The one member that JavaScript's objects lose when it is set. */
const PROTO = '__proto__';
const protoMistake = `the name "${PROTO}" is reserved: it is JavaScript's own. Rename it`;

/** What is wrong with a name that becomes part of full feature names and tensor names; undefined when nothing is. */
export function identifierMistake(name: unknown): string | undefined {
  return mistake(name, IDENTIFIER, 'a letter, then letters, digits and underscores');
}

/** The same for names that only people and URLs see, where a hyphen is fine. */
export function labelMistake(name: unknown): string | undefined {
  return mistake(name, LABEL, 'a letter, then letters, digits, underscores and hyphens');
}

/** The same for columns, which are named by the data: only what would collide with ours is refused. */
export function columnMistake(name: string): string | undefined {
  if (name === PROTO) return protoMistake;
  if (name.toLowerCase().startsWith(RESERVED_PREFIX)) {
    return `the name "${name}" is reserved: names that begin with "${RESERVED_PREFIX}" are Headrace's own. Rename the column`;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (name.trim() === '' || name.length > MAX_LENGTH || /[\u0000-\u001f"]/.test(name)) {
    return `${JSON.stringify(name)} is no column name: use 1 to ${MAX_LENGTH} characters, without quotes or control characters`;
  }
  return undefined;
}

/** The same for plain data (tags, arguments, items), whose members can have any other name. */
export function dataMistake(data: unknown): string | undefined {
  if (data === null || typeof data !== 'object') return undefined;
  if (!Array.isArray(data) && Object.hasOwn(data, PROTO)) return protoMistake;
  for (const item of Object.values(data)) {
    const found = dataMistake(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function mistake(name: unknown, pattern: RegExp, rule: string): string | undefined {
  if (typeof name !== 'string') return `a name must be text, got ${name === null ? 'null' : typeof name}`;
  if (name.startsWith('__')) return `the name "${name}" is reserved: a leading "__" is Headrace's own. Rename it`;
  if (name.includes('__'))
    return `the name "${name}" is reserved: "__" separates a view from its feature in full names. Use one underscore`;
  if (!pattern.test(name)) return `${JSON.stringify(name)} is not a good name: use ${rule}`;
  if (name.length > MAX_LENGTH)
    return `the name "${name.slice(0, 20)}…" has ${name.length} characters: use at most ${MAX_LENGTH}`;
  return undefined;
}
