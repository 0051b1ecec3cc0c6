// Whether what a function gave is plain JSON data: only that comes back as it was.

/** What of a value JSON can't hold; undefined when it is plain data. */
export function notJson(value: unknown, path: string): string | undefined {
  if (value === null || value === undefined || ['string', 'boolean', 'bigint'].includes(typeof value)) return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  if (typeof value !== 'object') return `${path} is a ${typeof value}`;
  if (Array.isArray(value)) return firstFault(value.map((item, at) => [`${path}[${at}]`, item]));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `${path} is a ${value.constructor.name}`;
  return firstFault(Object.entries(value).map(([name, member]) => [`${path}.${name}`, member]));
}

function firstFault(members: readonly (readonly [string, unknown])[]): string | undefined {
  for (const [path, member] of members) {
    const fault = notJson(member, path);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
