// Parquet files of our own that are there whole or not at all, and never change once they are there.

import { randomUUID } from 'node:crypto';
import { link, rm } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { syncPath } from '../../core/index.ts';
import { quoteText } from '../../storage/index.ts';

/** SQL of the rows of files of the same columns, in the files' order. */
export function copyFiles(paths: readonly string[]): string {
  return `FROM read_parquet([${paths.map(quoteText).join(', ')}])`;
}

export async function countRows(connection: DuckDBConnection, sql: string): Promise<number> {
  const read = await connection.runAndReadAll(`SELECT count(*) FROM (${sql})`);
  return Number(read.getRows()[0]?.[0]);
}

/**
 * To a name beside it first. What is there already holds the same rows, as the name says, and may be being read. Gives the
 * path.
 */
export async function writeWhole(connection: DuckDBConnection, sql: string, path: string): Promise<string> {
  const unfinished = `${path}.unfinished-${randomUUID()}`;
  try {
    await connection.run(`COPY (${sql}) TO ${quoteText(unfinished)} (FORMAT parquet, COMPRESSION zstd)`);
    await syncPath(unfinished);
    await link(unfinished, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(unfinished, { force: true });
  }
  return path;
}
