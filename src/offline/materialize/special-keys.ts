// The keys of a view without windows that one query of winners is not enough for: with facts that wait, with parts in
// the store, or without facts.

import { isWhole, keyed, keyNames, sameKey } from './fact-sql.ts';
import { type RunScope, waitsSql } from './run-scope.ts';
import type { TouchedKeys } from './touched-keys.ts';
import { nextTable } from './work-table.ts';

/** A table as `TouchedKeys.table`; null where there is no such key. */
export async function findSpecialKeys(scope: RunScope, touched: TouchedKeys): Promise<string | null> {
  const { connection, codec, facts, asOf } = scope;
  const names = keyNames(codec).join(', ');
  const all = keyed(codec, facts.relation);
  const whole = isWhole(codec);
  const { table, logTable, hasWaiting } = touched;
  const parts: string[] = [];
  if (hasWaiting) {
    const only = table === null ? '' : ` SEMI JOIN ${table} AS touched ON ${sameKey(codec, 'facts', 'touched')}`;
    parts.push(`SELECT ${names}, false AS pushed FROM ${all} AS facts${only} WHERE ${whole} AND ${waitsSql(scope)}`);
  }
  const listed = table ?? logTable;
  if (listed !== null) {
    const known = `(SELECT ${names} FROM ${all} AS facts WHERE ${whole} AND __hr_known <= ${asOf})`;
    parts.push(`SELECT ${names}, pushed FROM ${listed} WHERE pushed`);
    parts.push(
      `SELECT ${names}, pushed FROM ${listed} AS listed ANTI JOIN ${known} AS known ON ${sameKey(codec, 'listed', 'known')}`,
    );
  }
  if (parts.length === 0) return null;
  const special = nextTable('special');
  await connection.run(
    `CREATE TABLE ${special} AS SELECT ${names}, bool_or(pushed) AS pushed FROM (${parts.join(' UNION ALL ')}) GROUP BY ${names}`,
  );
  return special;
}
