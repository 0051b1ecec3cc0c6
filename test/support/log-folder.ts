// A folder for prediction logs, anew for each test of a file, with what tests do there: open, compact, ask, look at its files.

import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type Clock, silentLogger } from '../../src/core/index.ts';
import {
  type CompactReport,
  compactPredictionLog,
  openPredictionLog,
  type PredictionLog,
  type PredictionLogOptions,
} from '../../src/monitoring/index.ts';
import { type DuckDb, openDuckDb } from '../../src/storage/index.ts';
import { predictionLogSql } from './log-relations.ts';

/** What the clock of its logs shows. */
export const NOW = 1_790_000_000_000_000;
const clock: Clock = { nowMicros: () => NOW };

export interface LogFolder {
  path(): string;
  /** Closed after the test. No timer writes it. */
  open(options?: Partial<PredictionLogOptions>): PredictionLog;
  compact(): Promise<CompactReport>;
  /** `sql` names the log as `predictions`. */
  query(sql: string, directory?: string): Promise<unknown[][]>;
  /** Of all predictions, sorted. */
  ids(directory?: string): Promise<unknown[]>;
  /** Within the folder, sorted. */
  files(ending: string): string[];
  /** As if no writer had renewed its lease for a minute. */
  ageLeases(): void;
}

export function useLogFolder(): LogFolder {
  let path: string;
  let duckdb: DuckDb;
  const logs: PredictionLog[] = [];
  beforeEach(async () => {
    path = mkdtempSync(join(tmpdir(), 'headrace-log-'));
    duckdb = await openDuckDb({ tempDirectory: join(path, 'spill'), memory: '256MB', threads: 1 });
  });
  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close()));
    await duckdb.close();
    rmSync(path, { recursive: true, force: true });
  });

  const query = async (sql: string, directory = path): Promise<unknown[][]> => {
    const connection = await duckdb.connect();
    try {
      await connection.run(`CREATE TEMP VIEW predictions AS ${await predictionLogSql(connection, directory)}`);
      return (await connection.runAndReadAll(sql)).getRowsJson() as unknown[][];
    } finally {
      connection.closeSync();
    }
  };
  const files = (ending: string): string[] => {
    for (;;) {
      try {
        return readdirSync(path, { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith(ending))
          .sort();
      } catch (error) {
        // A folder that another process removed while this one listed it.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !existsSync(path)) throw error;
      }
    }
  };
  return {
    path: () => path,
    open(options = {}) {
      const log = openPredictionLog({
        directory: path,
        clock,
        logger: silentLogger,
        flushEveryMs: 3_600_000,
        ...options,
      });
      logs.push(log);
      return log;
    },
    compact: () => compactPredictionLog({ directory: path, duckdb: async () => duckdb, clock }),
    query,
    ids: async (directory) =>
      (await query('SELECT prediction_id FROM predictions ORDER BY ALL', directory)).map(([id]) => id),
    files,
    ageLeases() {
      const at = Date.now() / 1000 - 61;
      for (const lease of files('lease')) utimesSync(join(path, lease), at, at);
    },
  };
}
