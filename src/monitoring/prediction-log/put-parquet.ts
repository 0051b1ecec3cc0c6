// Writes a relation's rows as Parquet files by their hour, each durable before its name is there.

import { mkdir, rename } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { syncPath } from '../../core/index.ts';
import { quoteText } from '../../storage/index.ts';
import { hourFolder, temporaryFolder } from './segments.ts';

export interface PutParquet {
  readonly connection: DuckDBConnection;
  /** The log's. */
  readonly directory: string;
  /** Where the folders by date begin. */
  readonly folder: string;
  /** The segment's, and so the files'. */
  readonly name: string;
  readonly select: string;
  readonly hourColumn: string;
  readonly pause?: (() => Promise<void>) | undefined;
}

/** Gives the number of files. */
export async function putParquet(given: PutParquet): Promise<number> {
  const { connection, directory, folder, name, select, hourColumn, pause } = given;
  // Without a zone: folders are named by UTC whatever the session's is.
  const hourSql = `date_trunc('hour', make_timestamp(epoch_us(${hourColumn})))`;
  const found = await connection.runAndReadAll(
    `SELECT DISTINCT strftime(${hourSql}, '%Y-%m-%d'), strftime(${hourSql}, '%H'), ${hourSql}::VARCHAR FROM (${select}) ORDER BY ALL`,
  );
  const hours = found.getRows() as [date: string, hour: string, start: string][];
  await mkdir(temporaryFolder(directory), { recursive: true });
  for (const [date, hour, start] of hours) {
    const temporary = join(temporaryFolder(directory), `${name}-${randomBytes(6).toString('hex')}.parquet`);
    await connection.run(`COPY (SELECT * FROM (${select}) WHERE ${hourSql} = TIMESTAMP ${quoteText(start)}) \
TO ${quoteText(temporary)} (FORMAT parquet, COMPRESSION zstd)`);
    await putInPlace(temporary, join(hourFolder(folder, date, hour), `${name}.parquet`));
    await pause?.();
  }
  return hours.length;
}

/** Moves a file to its place, whose folders may be new. */
export async function putInPlace(temporary: string, path: string): Promise<void> {
  await syncPath(temporary);
  const made = await mkdir(dirname(path), { recursive: true });
  await rename(temporary, path);
  // The names, from the file's up to that of the first folder that was made, must be durable before the segment goes.
  let folder = dirname(path);
  await syncPath(folder);
  for (const last = made === undefined ? folder : dirname(made); folder !== last; ) {
    folder = dirname(folder);
    await syncPath(folder);
  }
}
