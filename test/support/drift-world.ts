// An endpoint's log, a training set beside it, and what watches the one against the other; the time is the test's to pass.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Micros, silentLogger } from '../../src/core/index.ts';
import {
  type ArmSchema,
  compactPredictionLog,
  openAlerts,
  openDriftStore,
  openPredictionLog,
  runDrift,
  type WatchedVersion,
} from '../../src/monitoring/index.ts';
import { type Database, openDuckDb } from '../../src/storage/index.ts';
import { memoryFolder } from './memory-folder.ts';
import { predictionRecord } from './prediction-records.ts';

export const HOUR = 3_600_000_000;
export const DAY = 24 * HOUR;
/** A Monday's midnight. */
export const START = Date.parse('2026-11-23T00:00:00Z') * 1000;

/** One row as it was served. */
export interface ServedRow {
  readonly at: Micros;
  readonly unit?: string;
  readonly amount: number | null;
  readonly city: string | null;
  readonly clicks?: number | null;
  readonly statuses?: readonly string[];
  readonly score?: number;
  readonly variant?: string;
  readonly version?: number;
}

/** One row of the training set. */
export type TrainedRow = Pick<ServedRow, 'at' | 'amount' | 'city'> & { readonly clicks: number | null };

const schemaOf = (variant: string, version: number): ArmSchema => ({
  endpoint: 'shop',
  model: 'returns',
  version,
  variant,
  arm: `arm-${variant}-${version}`,
  requestFields: [{ name: 'customer', type: { kind: 'string' } }],
  featureFields: [
    { name: 'amount', type: { kind: 'float64' } },
    { name: 'city', type: { kind: 'string' } },
    { name: 'clicks', type: { kind: 'float64' } },
  ],
  outputFields: [{ name: 'score', type: { kind: 'float32' } }],
  unitFields: ['customer'],
});

/** `clicks` is a window. */
export const FEATURES: WatchedVersion['features'] = [
  { name: 'amount', kind: 'number', isWindow: false },
  { name: 'city', kind: 'category', isWindow: false },
  { name: 'clicks', kind: 'number', isWindow: true },
];

export type DriftWorld = Awaited<ReturnType<typeof openDriftWorld>>;

export async function openDriftWorld(database: Database) {
  const folder = mkdtempSync(join(memoryFolder(), 'headrace-drift-'));
  const directory = join(folder, 'log');
  const duckdb = await openDuckDb({ tempDirectory: join(folder, 'spill'), memory: '512MB', threads: 2 });
  let count = 0;
  /** What tests set. */
  const given = {
    now: START as Micros,
    hasUnits: false,
    size: HOUR as Micros,
    version: { features: FEATURES, trainingSet: null, lacks: 'none' } as WatchedVersion,
  };
  const clock = { nowMicros: (): Micros => given.now };
  const store = await openDriftStore(database);
  const alerts = await openAlerts(database, { clock, logger: silentLogger, hasReceiver: false });
  const open = () => openPredictionLog({ directory, clock, logger: silentLogger, flushEveryMs: 3_600_000 });
  const parts = { directory, duckdb, store, alerts };
  return Object.assign(given, parts, {
    /** Writes rows; returns their ids. */
    async serve(rows: readonly ServedRow[]): Promise<readonly string[]> {
      const log = open();
      const ids = rows.map(
        ({ at, amount, city, clicks = null, unit = '', score = 0.5, variant = 'stable', ...row }) => {
          const id = `p${++count}`;
          const features = [amount, city, clicks];
          const statuses = row.statuses ?? features.map((value) => (value === null ? 'NULL_VALUE' : 'PRESENT'));
          const own = { atMicros: at, unit: [unit], request: [unit], features, statuses, outputs: [score] };
          log.arm(schemaOf(variant, row.version ?? 1)).append(predictionRecord(id, own));
          return id;
        },
      );
      await log.close();
      return ids;
    },
    /** What became of predictions, recorded at `now`. */
    async tell(outcomes: readonly { readonly id: string; readonly value: number | boolean | string | null }[]) {
      const log = open();
      const of = { endpoint: 'shop', observedMicros: given.now };
      await log.recordOutcomes(outcomes.map(({ id, value }) => ({ ...of, predictionId: id, value })));
      await log.close();
    },
    async train(id: string, rows: readonly TrainedRow[]) {
      const path = join(folder, `${id}.parquet`);
      const connection = await duckdb.connect();
      const columns = 'moment BIGINT, amount DOUBLE, city VARCHAR, clicks DOUBLE';
      await connection.run(`CREATE OR REPLACE TEMP TABLE t (${columns})`);
      const appender = await connection.createAppender('t');
      for (const { at, amount, city, clicks } of rows) {
        appender.appendBigInt(BigInt(at));
        for (const value of [amount, city, clicks]) {
          if (value === null) appender.appendNull();
          else if (typeof value === 'string') appender.appendVarchar(value);
          else appender.appendDouble(value);
        }
        appender.endRow();
      }
      appender.closeSync();
      await connection.run(
        `COPY (SELECT make_timestamp(moment) AT TIME ZONE 'UTC' AS event_time, amount, city, clicks FROM t) TO '${path}' (FORMAT parquet)`,
      );
      connection.closeSync();
      const trainingSet = { id, path, timestamp: 'event_time', rows: rows.length };
      given.version = { features: FEATURES, trainingSet, lacks: null };
    },
    async compact() {
      await compactPredictionLog({ directory, duckdb: async () => duckdb, clock });
    },
    run(isNow = false) {
      const deps = { store, duckdb, directory, alerts, size: given.size, clock, version: async () => given.version };
      const endpoint = { name: 'shop', hasUnits: given.hasUnits, arms: [] };
      return runDrift(deps, endpoint, { signal: new AbortController().signal, isNow });
    },
    async close() {
      await duckdb.close();
      rmSync(folder, { recursive: true, force: true });
    },
  });
}
