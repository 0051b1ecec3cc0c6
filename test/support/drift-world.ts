// An endpoint's log, a training set beside it, and what watches the one against the other; the time is the test's to pass.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Micros, silentLogger } from '../../src/core/index.ts';
import {
  type Alerts,
  type ArmSchema,
  compactPredictionLog,
  type DriftStore,
  openAlerts,
  openDriftStore,
  openPredictionLog,
  runDrift,
  type WatchedVersion,
} from '../../src/monitoring/index.ts';
import { type Database, type DuckDb, openDuckDb } from '../../src/storage/index.ts';
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
export interface TrainedRow {
  readonly at: Micros;
  readonly amount: number | null;
  readonly city: string | null;
  readonly clicks: number | null;
}

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

export interface DriftWorld {
  readonly directory: string;
  readonly duckdb: DuckDb;
  readonly store: DriftStore;
  readonly alerts: Alerts;
  now: Micros;
  hasUnits: boolean;
  size: Micros;
  version: WatchedVersion;
  /** Writes rows; returns their ids. */
  serve(rows: readonly ServedRow[]): Promise<readonly string[]>;
  /** What became of predictions, recorded at `now`. */
  tell(outcomes: readonly { readonly id: string; readonly value: number | boolean | string | null }[]): Promise<void>;
  train(id: string, rows: readonly TrainedRow[]): Promise<void>;
  compact(): Promise<void>;
  run(isNow?: boolean): ReturnType<typeof runDrift>;
  close(): Promise<void>;
}

export async function openDriftWorld(database: Database): Promise<DriftWorld> {
  const folder = mkdtempSync(join(memoryFolder(), 'headrace-drift-'));
  const directory = join(folder, 'log');
  const duckdb = await openDuckDb({ tempDirectory: join(folder, 'spill'), memory: '512MB', threads: 2 });
  let count = 0;
  const clock = { nowMicros: (): Micros => world.now };
  const world: DriftWorld = {
    directory,
    duckdb,
    store: await openDriftStore(database),
    alerts: await openAlerts(database, { clock, logger: silentLogger, hasReceiver: false }),
    now: START,
    hasUnits: false,
    size: HOUR,
    version: { features: FEATURES, trainingSet: null, lacks: 'none' },
    async serve(rows) {
      const log = openPredictionLog({ directory, clock, logger: silentLogger, flushEveryMs: 3_600_000 });
      const ids = rows.map((row) => {
        const { variant = 'stable', version = 1 } = row;
        const id = `p${++count}`;
        const features = [row.amount, row.city, row.clicks ?? null];
        log.arm(schemaOf(variant, version)).append(
          predictionRecord(id, {
            atMicros: row.at,
            unit: [row.unit ?? ''],
            request: [row.unit ?? ''],
            features,
            statuses: row.statuses ?? features.map((value) => (value === null ? 'NULL_VALUE' : 'PRESENT')),
            outputs: [row.score ?? 0.5],
          }),
        );
        return id;
      });
      await log.close();
      return ids;
    },
    async tell(outcomes) {
      const log = openPredictionLog({ directory, clock, logger: silentLogger, flushEveryMs: 3_600_000 });
      await log.recordOutcomes(
        outcomes.map(({ id, value }) => ({ predictionId: id, endpoint: 'shop', value, observedMicros: world.now })),
      );
      await log.close();
    },
    async train(id, rows) {
      const path = join(folder, `${id}.parquet`);
      const connection = await duckdb.connect();
      await connection.run(
        'CREATE OR REPLACE TEMP TABLE t (moment BIGINT, amount DOUBLE, city VARCHAR, clicks DOUBLE)',
      );
      const appender = await connection.createAppender('t');
      for (const { at, amount, city, clicks } of rows) {
        appender.appendBigInt(BigInt(at));
        if (amount === null) appender.appendNull();
        else appender.appendDouble(amount);
        if (city === null) appender.appendNull();
        else appender.appendVarchar(city);
        if (clicks === null) appender.appendNull();
        else appender.appendDouble(clicks);
        appender.endRow();
      }
      appender.closeSync();
      await connection.run(
        `COPY (SELECT make_timestamp(moment) AT TIME ZONE 'UTC' AS event_time, amount, city, clicks FROM t) TO '${path}' (FORMAT parquet)`,
      );
      connection.closeSync();
      const trainingSet = { id, path, timestamp: 'event_time', rows: rows.length };
      world.version = { features: FEATURES, trainingSet, lacks: null };
    },
    async compact() {
      await compactPredictionLog({ directory, duckdb: async () => duckdb, clock });
    },
    run(isNow = false) {
      const { store, alerts, size } = world;
      const deps = { store, duckdb, directory, alerts, size, clock, version: async () => world.version };
      const endpoint = { name: 'shop', hasUnits: world.hasUnits, arms: [] };
      return runDrift(deps, endpoint, { signal: new AbortController().signal, isNow });
    },
    async close() {
      await duckdb.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return world;
}
