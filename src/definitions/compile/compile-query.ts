// What a query source says beyond other sources: its SQL, and the sources that it reads.

import type { Authored, AuthoredSource } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import type { QueriedSource } from '../manifest.ts';
import { expectKind } from './collect.ts';
import type { Mistakes } from './mistakes.ts';
import { showName } from './names.ts';

export function compileQuery(source: AuthoredSource, mistakes: Mistakes): { sql: string; over: QueriedSource[] } {
  const { sql: written } = source.options;
  const sql: unknown = typeof written === 'object' && written !== null ? written.sql : written;
  if (typeof sql !== 'string' || sql.trim() === '')
    mistakes.add(source, 'it needs `sql`: a SELECT over the sources in `over`, by their names', [1, 'sql']);
  const named = compileOver(source, source.options, [1], mistakes);
  return { sql: typeof sql === 'string' ? sql : '', over: named };
}

/** The sources that SQL reads, of an object whose options at `at` name them. */
export function compileOver(
  owner: Authored,
  options: { readonly over?: unknown; readonly static?: unknown },
  at: Path,
  mistakes: Mistakes,
): QueriedSource[] {
  const { over = [], static: still = [] } = options;
  const named = new Map<string, QueriedSource>();
  const read = (given: unknown, member: 'over' | 'static', isStatic: boolean): void => {
    if (!Array.isArray(given)) {
      mistakes.add(owner, `\`${member}\` must be an array of sources`, [...at, member]);
      return;
    }
    for (const [i, one] of given.entries()) {
      const found = expectKind(one, 'source', owner, `${member}[${i}]`, [...at, member, i], mistakes);
      if (found === undefined) continue;
      // A name in SQL knows no upper case.
      const key = found.name.toLowerCase();
      if (named.has(key))
        mistakes.add(owner, `source ${showName(found.name)} is named twice in \`over\` and \`static\``, [
          ...at,
          member,
          i,
        ]);
      named.set(key, { source: found.name, isStatic });
    }
  };
  read(over, 'over', false);
  read(still, 'static', true);
  if (Array.isArray(over) && over.length === 0) {
    const isMissing = options.over === undefined;
    const why = isMissing ? 'it needs `over`' : '`over` names no source';
    mistakes.add(owner, `${why}: the sources whose facts the query reads`, isMissing ? at : [...at, 'over']);
  }
  return [...named.values()];
}
