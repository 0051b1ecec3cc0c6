// What a query may be: one SELECT that reads the sources that it declares, and nothing else, so that what it gives is made
// of what a snapshot holds.

import type { DuckDBConnection } from '@duckdb/node-api';
import { didYouMean, HeadraceError } from '../../../core/index.ts';
import type { SourceSpec } from '../../../definitions/index.ts';
import { quoteText } from '../../../storage/index.ts';

/** Table functions that read nothing. */
const PURE: ReadonlySet<string> = new Set(['range', 'generate_series', 'unnest']);

/** Throws HR_QUERY. */
export async function checkQuery(connection: DuckDBConnection, source: SourceSpec, sql: string): Promise<void> {
  const read = await connection.runAndReadAll(
    `SELECT json_serialize_sql(${quoteText(sql)}, skip_null := true, skip_empty := true, skip_default := true)`,
  );
  const tree = JSON.parse(String(read.getRows()[0]?.[0])) as Tree;
  if (tree['error'] === true) throw refused(source, String(tree['error_message']));
  const statements = tree['statements'] as readonly unknown[];
  if (statements.length !== 1) throw refused(source, `it has ${statements.length} statements, and may have one`);
  const over = (source.over ?? []).map(({ source: name }) => name);
  const found: Found = { tables: new Set(), functions: new Set() };
  collect(tree, new Set(over.map((name) => name.toLowerCase())), found);
  for (const name of found.tables) {
    throw refused(
      source,
      `it reads "${name}", which is not among its sources.${didYouMean(name, over)} It has: ${over.join(', ')}`,
    );
  }
  for (const name of found.functions) {
    if (!PURE.has(name.toLowerCase())) throw refused(source, `it reads by ${name}(…), and may read its sources only`);
  }
}

/** A node of DuckDB's parse tree, or the whole. */
interface Tree {
  readonly [member: string]: unknown;
}

interface Found {
  /** That are no source and no table of the query's own. */
  readonly tables: Set<string>;
  readonly functions: Set<string>;
}

/** `known`: what a table's name may be at this place, in lower case. */
function collect(value: unknown, known: ReadonlySet<string>, found: Found): void {
  if (Array.isArray(value)) {
    for (const one of value) collect(one, known, found);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const node = value as Tree; // Of JSON, an object that is no array.
  if (node['type'] === 'BASE_TABLE') {
    const parts = [node['catalog_name'], node['schema_name'], node['table_name']];
    const name = parts.filter((part) => part !== undefined).join('.');
    if (!known.has(name.toLowerCase())) found.tables.add(name);
  }
  if (node['type'] === 'TABLE_FUNCTION') found.functions.add(String((node['function'] as Tree)['function_name']));
  const { cte_map: common, ...others } = node;
  let here = known;
  for (const { key, value: named } of namedIn(common)) {
    // Each may read those before it, and itself where it is recursive: elsewhere its name is another table's, or a file's.
    const own = new Set([...here, key.toLowerCase()]);
    collect(named, JSON.stringify(named).includes('"RECURSIVE_CTE_NODE"') ? own : here, found);
    here = own;
  }
  for (const one of Object.values(others)) collect(one, here, found);
}

/** What a WITH names, in its order. */
function namedIn(common: unknown): readonly { readonly key: string; readonly value: unknown }[] {
  const { map = [] } = (common ?? {}) as {
    readonly map?: readonly { readonly key: string; readonly value: unknown }[];
  };
  return map;
}

function refused({ name }: SourceSpec, why: string): HeadraceError {
  return new HeadraceError('HR_QUERY', `source "${name}": its query cannot be used: ${why.replace(/\.?$/, '.')}`);
}
