// Keys that were asked for and have facts, as a table of the shape that a run's touched keys have.

import { decodeKey, type EncodedKey } from '../../core/index.ts';
import { createRowAppender } from '../duckdb/row-appender.ts';
import { isWhole, keyed, keyNames, sameKey } from '../materialize/fact-sql.ts';
import type { RunScope } from '../materialize/run-scope.ts';
import { nextTable } from '../materialize/work-table.ts';
import { duckType } from '../sources/sql-text.ts';

/** Gives the name of a table of the database; drop it. */
export async function makeAskedTable(
  { connection, codec, facts, asOf }: RunScope,
  keys: readonly EncodedKey[],
): Promise<string> {
  const { keyTypes } = codec;
  const [table, given] = [nextTable('asked'), nextTable('given')];
  const names = keyNames(codec);
  const columns = keyTypes.map((type, i) => `${names[i]} ${duckType(type)}`).join(', ');
  await connection.run(`CREATE TEMP TABLE ${given} (${columns})`);
  const appender = await createRowAppender(connection, given, keyTypes);
  for (const key of keys) appender.add(decodeKey(keyTypes, key));
  appender.close();
  // Of a key without facts a run that finds all keys writes nothing.
  await connection.run(
    `CREATE TABLE ${table} AS SELECT DISTINCT ${names.join(', ')}, false AS pushed FROM ${given} AS given SEMI JOIN ` +
      `(SELECT * FROM ${keyed(codec, facts.relation)} AS facts WHERE ${isWhole(codec)} AND __hr_known <= ${asOf}) AS known ` +
      `ON ${sameKey(codec, 'given', 'known')}`,
  );
  await connection.run(`DROP TABLE ${given}`);
  return table;
}
