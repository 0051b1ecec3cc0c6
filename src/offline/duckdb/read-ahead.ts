// A result's chunks, each fetched while the one before is worked on: DuckDB sorts and decodes on its own threads, and
// the loop over the rows keeps this one busy.

import type { DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api';

/** The chunks in order, without the empty ones that follow the last. A chunk stays valid while the next is fetched. */
export async function* readAhead(result: DuckDBResult): AsyncGenerator<DuckDBDataChunk> {
  let next = result.fetchChunk();
  try {
    for (;;) {
      const chunk = await next;
      if (chunk === null || chunk.rowCount === 0) return;
      next = result.fetchChunk();
      // Its failure is met where it is awaited.
      next.catch(() => undefined);
      yield chunk;
    }
  } finally {
    // A reader that stopped early must not leave a fetch running on the connection.
    await next.catch(() => undefined);
  }
}
