// Opens DuckDB as every folder above needs it: UTC, order kept, memory bounded, spilling to a folder of its own.

import { mkdir } from 'node:fs/promises';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';

export interface DuckDbOptions {
  /** Such as `4GB`; DuckDB's default is 80 % of the machine. */
  readonly memory?: string;
  readonly threads?: number;
  /** Where sorts and joins spill; made when missing. */
  readonly tempDirectory: string;
  /** A database file; in memory by default. */
  readonly path?: string;
}

export interface DuckDb {
  /** A connection of the caller's own (temporary tables and transactions are per connection): `closeSync()` it. */
  connect(): Promise<DuckDBConnection>;
  close(): Promise<void>;
}

export async function openDuckDb(options: DuckDbOptions): Promise<DuckDb> {
  await mkdir(options.tempDirectory, { recursive: true });
  const instance = await DuckDBInstance.create(options.path ?? ':memory:', {
    temp_directory: options.tempDirectory,
    preserve_insertion_order: 'true',
    // Extensions are loaded from where the user has them, never fetched in the middle of a query.
    autoinstall_known_extensions: 'false',
    ...(options.memory === undefined ? {} : { memory_limit: options.memory }),
    ...(options.threads === undefined ? {} : { threads: String(options.threads) }),
  });
  const first = await instance.connect();
  await first.run("SET GLOBAL TimeZone = 'UTC'");
  first.closeSync();
  return {
    connect: () => instance.connect(),
    async close() {
      instance.closeSync();
    },
  };
}
