// A registry that has lost its last commits.

import type { Database } from '../../src/storage/index.ts';

interface Tables {
  event_writers: { number: number };
  event_cuts: { writer: number };
  event_segments: { writer: number };
  pushed_rows: { writer: number };
}

/** Loses what the registry knows of a writer. */
export async function loseWriter(database: Database, writer: number): Promise<void> {
  const tables = database.tables<Tables>();
  await tables.deleteFrom('event_segments').where('writer', '=', writer).execute();
  await tables.deleteFrom('event_cuts').where('writer', '=', writer).execute();
  await tables.deleteFrom('pushed_rows').where('writer', '=', writer).execute();
  await tables.deleteFrom('event_writers').where('number', '=', writer).execute();
}
