// A folder for prediction logs, anew for each test of a file, with what tests do there: open, compact, ask, look at its files.

import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import {
  type CompactOptions,
  compactPredictionLog,
  openPredictionLog,
  type OutcomeEntry,
  type PredictionLog,
  type PredictionLogOptions,
} from '../../src/monitoring/index.ts';
import type { LogRange } from '../../src/monitoring/prediction-log/log-parts.ts';
import { type DuckDb, openDuckDb } from '../../src/storage/index.ts';
import { predictionLogSql } from './log-relations.ts';
import { memoryFolder } from './memory-folder.ts';

/** What the clock of its logs shows as a test begins. */
export const NOW = 1_790_000_000_000_000;

/** Of one log: the test's own, or another folder's. */
type Asked = LogRange & { readonly directory?: string };

/** What became of a prediction of `appendRecord`, now. */
export const outcomeOf = (predictionId: OutcomeEntry['predictionId'], value: OutcomeEntry['value']): OutcomeEntry => ({
  predictionId,
  endpoint: 'delay',
  value,
  observedMicros: NOW,
});

export function useLogFolder() {
  let path: string;
  let duckdb: DuckDb;
  let spill: string;
  const logs: PredictionLog[] = [];
  const clock = {
    micros: NOW,
    nowMicros: (): number => clock.micros,
  };
  beforeAll(async () => {
    spill = mkdtempSync(join(memoryFolder(), 'headrace-spill-'));
    duckdb = await openDuckDb({ tempDirectory: spill, memory: '256MB', threads: 1 });
  });
  afterAll(async () => {
    await duckdb.close();
    rmSync(spill, { recursive: true, force: true });
  });
  beforeEach(() => {
    clock.micros = NOW;
    path = mkdtempSync(join(memoryFolder(), 'headrace-log-'));
  });
  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close()));
    rmSync(path, { recursive: true, force: true });
  });

  /** `sql` names the log as `predictions`. */
  const query = async (sql: string, { directory = path, ...range }: Asked = {}): Promise<unknown[][]> => {
    const connection = await duckdb.connect();
    try {
      await connection.run(`CREATE TEMP VIEW predictions AS ${await predictionLogSql(connection, directory, range)}`);
      return (await connection.runAndReadAll(sql)).getRowsJson() as unknown[][];
    } finally {
      connection.closeSync();
    }
  };
  /** Within the folder, sorted. */
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
    /** One for all tests of the file. */
    duckdb: () => duckdb,
    /** The clock of its logs, which stands until a test sets it. */
    clock,
    /** Closed after the test. No timer writes it. */
    open(options: Partial<PredictionLogOptions> = {}): PredictionLog {
      const given = { directory: path, clock, logger: silentLogger, flushEveryMs: 3_600_000 };
      const log = openPredictionLog({ ...given, ...options });
      logs.push(log);
      return log;
    },
    compact: (bounds: Pick<CompactOptions, 'keep' | 'maxBytes'> = {}) =>
      compactPredictionLog({ directory: path, duckdb: async () => duckdb, clock, ...bounds }),
    query,
    /** Of all predictions, sorted. */
    ids: async (asked?: Asked): Promise<unknown[]> =>
      (await query('SELECT prediction_id FROM predictions ORDER BY ALL', asked)).map(([id]) => id),
    files,
    /** As if no writer had renewed its lease for a minute. */
    ageLeases() {
      const at = Date.now() / 1000 - 61;
      for (const lease of files('lease')) utimesSync(join(path, lease), at, at);
    },
  };
}
