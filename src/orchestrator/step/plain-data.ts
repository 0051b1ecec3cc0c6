// Whether what a function gave is plain JSON data: only that comes back as it was.

/** Whatever reads a result goes into it member by member, on a stack. */
const MAX_DEPTH = 1000;

/** What of a value JSON can't hold, or what is too deep to be read again; undefined when it is plain data. */
export function notJson(value: unknown, path: string, depth = 0): string | undefined {
  if (value === null || value === undefined || ['string', 'boolean', 'bigint'].includes(typeof value)) return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  if (typeof value !== 'object') return `${path} is a ${typeof value}`;
  if (depth === MAX_DEPTH) return `it is nested more than ${MAX_DEPTH} deep, or holds itself, at ${path.slice(0, 40)}…`;
  if (Array.isArray(value))
    return firstFault(
      value.map((item, at) => [`${path}[${at}]`, item]),
      depth + 1,
    );
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `${path} is a ${value.constructor.name}`;
  return firstFault(
    Object.entries(value).map(([name, member]) => [`${path}.${name}`, member]),
    depth + 1,
  );
}

function firstFault(members: readonly (readonly [string, unknown])[], depth: number): string | undefined {
  for (const [path, member] of members) {
    const fault = notJson(member, path, depth);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
