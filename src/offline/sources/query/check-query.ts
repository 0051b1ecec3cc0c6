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
  const found = { tables: new Set<string>(), own: new Set<string>(), functions: new Set<string>() };
  collect(tree, found);
  const over = (source.over ?? []).map(({ source: name }) => name);
  const known = new Set([...over, ...found.own].map((name) => name.toLowerCase()));
  for (const name of found.tables) {
    if (known.has(name.toLowerCase())) continue;
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
  readonly tables: Set<string>;
  /** Named in the query itself, by WITH. */
  readonly own: Set<string>;
  readonly functions: Set<string>;
}

function collect(value: unknown, found: Found): void {
  if (Array.isArray(value)) {
    for (const one of value) collect(one, found);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const node = value as Tree; // Of JSON, an object that is no array.
  if (node['type'] === 'BASE_TABLE') {
    const parts = [node['catalog_name'], node['schema_name'], node['table_name']];
    found.tables.add(parts.filter((part) => part !== undefined).join('.'));
  }
  if (node['type'] === 'TABLE_FUNCTION') found.functions.add(String((node['function'] as Tree)['function_name']));
  const common = (node['cte_map'] as Tree | undefined)?.['map'];
  if (Array.isArray(common)) for (const { key } of common as readonly { key: unknown }[]) found.own.add(String(key));
  for (const one of Object.values(node)) collect(one, found);
}

function refused({ name }: SourceSpec, why: string): HeadraceError {
  return new HeadraceError('HR_QUERY', `source "${name}": its query cannot be used: ${why.replace(/\.?$/, '.')}`);
}
