// What a query may be: one SELECT that reads the sources that it declares, and nothing else, so that what it gives is made
// of what a snapshot holds, and is the same whenever it is run.

import type { DuckDBConnection } from '@duckdb/node-api';
import { didYouMean, HeadraceError } from '../../../core/index.ts';
import type { SourceSpec } from '../../../definitions/index.ts';
import { quoteText } from '../../../storage/index.ts';
import { collectNames, type Tree } from './query-names.ts';

/** Table functions that read nothing. */
const PURE: ReadonlySet<string> = new Set(['range', 'generate_series', 'unnest']);

/** What DuckDB takes for the clock, or for who asks, where no column has that name. */
const WITHOUT_BRACKETS: ReadonlySet<string> = new Set([
  'current_date',
  'current_time',
  'current_timestamp',
  'localtime',
  'localtimestamp',
  'current_catalog',
  'current_role',
  'current_schema',
  'current_user',
  'session_user',
  'user',
]);

/** Functions that DuckDB says to be of their arguments alone, and are not. */
const NOT_OF_ARGUMENTS: ReadonlySet<string> = new Set([
  'current_localtime',
  'current_localtimestamp',
  'current_setting',
  'getenv',
  'getvariable',
]);

/** `columns`: those that its sources have. Throws HR_QUERY. */
export async function checkQuery(
  connection: DuckDBConnection,
  source: SourceSpec,
  sql: string,
  columns: ReadonlySet<string>,
): Promise<void> {
  const read = await connection.runAndReadAll(
    `SELECT json_serialize_sql(${quoteText(sql)}, skip_null := true, skip_empty := true, skip_default := true)`,
  );
  const tree = JSON.parse(String(read.getRows()[0]?.[0])) as Tree;
  if (tree['error'] === true) throw refused(source, String(tree['error_message']));
  const statements = tree['statements'] as readonly unknown[];
  if (statements.length !== 1) throw refused(source, `it has ${statements.length} statements, and may have one`);
  const over = (source.over ?? []).map(({ source: name }) => name);
  const names = collectNames(tree, new Set(over.map((name) => name.toLowerCase())));
  for (const name of names.tables) {
    throw refused(
      source,
      `it reads "${name}", which is not among its sources.${didYouMean(name, over)} It has: ${over.join(', ')}`,
    );
  }
  for (const name of names.tableFunctions) {
    if (!PURE.has(name)) throw refused(source, `it reads by ${name}(…), and may read its sources only`);
  }
  if (names.isSampled) throw refused(source, 'it takes a sample, which is another one each time');
  const words = [...names.words].filter((word) => WITHOUT_BRACKETS.has(word) && !columns.has(word));
  const changing = await notOfArguments(connection);
  const [first] = [...words, ...[...names.functions].filter((name) => changing.has(name))];
  if (first !== undefined)
    throw refused(source, `it calls ${first.replace('/1', '')}, which gives something else each time or place`);
}

async function notOfArguments(connection: DuckDBConnection): Promise<ReadonlySet<string>> {
  const read = await connection.runAndReadAll(
    "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability IN ('VOLATILE', 'CONSISTENT_WITHIN_QUERY') AND function_name <> 'error'",
  );
  // With one argument it counts from today.
  return new Set([...read.getRows().map(([name]) => String(name)), ...NOT_OF_ARGUMENTS, 'age/1']);
}

function refused({ name }: SourceSpec, why: string): HeadraceError {
  return new HeadraceError('HR_QUERY', `source "${name}": its query cannot be used: ${why.replace(/\.?$/, '.')}`);
}
