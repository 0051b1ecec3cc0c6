// Plain JSON data, as a step's arguments and items must be.

const MOST_DEPTH = 50;

export function isPlain(value: unknown): boolean {
  return findNotPlain(value) === undefined;
}

/** The first value within another that JSON can't hold, and where in it: `.rates[1]`, or '' for the whole. */
export function findNotPlain(
  value: unknown,
  depth = MOST_DEPTH,
): { readonly path: string; readonly value: unknown } | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number' && Number.isFinite(value)) return undefined;
  const isList = Array.isArray(value);
  // What holds itself is no JSON either.
  if (depth === 0 || typeof value !== 'object') return { path: '', value };
  if (!isList && Object.getPrototypeOf(value) !== Object.prototype) return { path: '', value };
  for (const [name, member] of Object.entries(value)) {
    const found = findNotPlain(member, depth - 1);
    if (found !== undefined) return { ...found, path: `${isList ? `[${name}]` : `.${name}`}${found.path}` };
  }
  return undefined;
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
