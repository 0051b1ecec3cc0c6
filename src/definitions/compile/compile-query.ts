// What a query source says beyond other sources: its SQL, and the sources that it reads.

import type { AuthoredSource } from '../authoring/authored.ts';
import type { QueriedSource } from '../manifest.ts';
import { expectKind } from './collect.ts';
import type { Mistakes } from './mistakes.ts';
import { showName } from './names.ts';

export function compileQuery(source: AuthoredSource, mistakes: Mistakes): { sql: string; over: QueriedSource[] } {
  const { sql: written, over = [], static: still = [] } = source.options;
  const sql: unknown = typeof written === 'object' && written !== null ? written.sql : written;
  if (typeof sql !== 'string' || sql.trim() === '')
    mistakes.add(source, 'it needs `sql`: a SELECT over the sources in `over`, by their names', [1, 'sql']);
  const named = new Map<string, QueriedSource>();
  const read = (given: unknown, member: 'over' | 'static', isStatic: boolean): void => {
    if (!Array.isArray(given)) {
      mistakes.add(source, `\`${member}\` must be an array of sources`, [1, member]);
      return;
    }
    for (const [i, one] of given.entries()) {
      const found = expectKind(one, 'source', source, `${member}[${i}]`, [1, member, i], mistakes);
      if (found === undefined) continue;
      // A name in SQL knows no upper case.
      const key = found.name.toLowerCase();
      if (named.has(key))
        mistakes.add(source, `source ${showName(found.name)} is named twice in \`over\` and \`static\``, [
          1,
          member,
          i,
        ]);
      named.set(key, { source: found.name, isStatic });
    }
  };
  read(over, 'over', false);
  read(still, 'static', true);
  if (over.length === 0) {
    const isMissing = source.options.over === undefined;
    const why = isMissing ? 'it needs `over`' : '`over` names no source';
    mistakes.add(source, `${why}: the sources whose facts the query reads`, isMissing ? [1] : [1, 'over']);
  }
  return { sql: typeof sql === 'string' ? sql : '', over: [...named.values()] };
}
