// Tables that a run works with. They are the database's, not a connection's, since several connections read them at once.

import type { DuckDBConnection } from '@duckdb/node-api';

let tables = 0;

/** A name that no other run of this process has. */
export function nextTable(what: string): string {
  return `__hr_${what}_${process.pid}_${++tables}`;
}

export async function dropTables(connection: DuckDBConnection, names: readonly (string | null)[]): Promise<void> {
  for (const name of names) if (name !== null) await connection.run(`DROP TABLE IF EXISTS ${name}`);
}
