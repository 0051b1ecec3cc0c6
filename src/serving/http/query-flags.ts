// Flags in a URL's query, `?statuses=true`: those that a route knows, each true or false.

import { describe, invalid, nearestName } from '../../core/index.ts';

/** Of each known flag whether it is set. Throws HR_INVALID for another one, and for another value. */
export function queryFlags<Name extends string>(query: unknown, names: readonly Name[]): Record<Name, boolean> {
  const flags = Object.fromEntries(names.map((name) => [name, false])) as Record<Name, boolean>;
  // The framework's own: texts by name, or lists of them.
  for (const [name, value] of Object.entries(query as Readonly<Record<string, unknown>>)) {
    const known = names.find((one) => one === name);
    if (known === undefined) {
      const near = nearestName(name, names);
      const meant = near === undefined ? `; there are ${names.join(' and ')}` : `. Did you mean "${near}"?`;
      throw invalid([{ path: `?${name.slice(0, 80)}`, message: `is not a known parameter${meant}` }]);
    }
    if (value !== 'true' && value !== 'false')
      throw invalid([{ path: `?${name}`, message: `expected true or false, got ${describe(value)}` }]);
    flags[known] = value === 'true';
  }
  return flags;
}
