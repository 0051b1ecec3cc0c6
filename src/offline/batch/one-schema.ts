// Files that are read as one input must be of one schema: a column that a file lacks would be null there, and one that the first
// lacks would be left out, which nobody asked for.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError } from '../../core/index.ts';

/** `names`: the files' names as users know them, by `paths`; `scan`: SQL that reads one. Throws HR_SPINE naming the first file that differs. */
export async function checkOneSchema(
  connection: DuckDBConnection,
  paths: readonly string[],
  names: readonly string[],
  scan: (path: string) => string,
): Promise<void> {
  if (paths.length < 2) return;
  const first = await schemaOf(connection, scan(paths[0] as string));
  for (let at = 1; at < paths.length; at++) {
    const own = await schemaOf(connection, scan(paths[at] as string));
    const [before, here] = [names[0] as string, names[at] as string];
    for (const [column, type] of first) {
      const found = own.get(column);
      if (found === undefined) throw differs(`${here} has no column "${column}", which ${before} has`);
      if (found !== type) throw differs(`${here} has "${column}" as ${found}, and ${before} as ${type}`);
    }
    const more = [...own.keys()].find((column) => !first.has(column));
    if (more !== undefined) throw differs(`${here} has a column "${more}", which ${before} lacks`);
  }
}

async function schemaOf(connection: DuckDBConnection, from: string): Promise<ReadonlyMap<string, string>> {
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`);
  return new Map(described.getRows().map(([name, type]) => [String(name), String(type)]));
}

function differs(sentence: string): HeadraceError {
  return new HeadraceError(
    'HR_SPINE',
    `the input's files are not of one schema: ${sentence}. Bring them to one, or predict those of each schema by themselves.`,
  );
}
