// How far the database's clock is from this machine's, so that what several machines write of a time can be compared.

import { sql } from 'kysely';
import type { Micros } from '../../core/index.ts';
import type { Database } from './database.ts';

const MEASURE_EVERY_MS = 60_000;
/** A query takes its time: what is less says nothing. */
const LEAST_SKEW_MICROS = 200_000;
/** This machine's clock and one that nobody sets come apart by no more where nobody sets it. */
const GREATEST_DRIFT_MS = 1000;

export interface ClockSkew {
  /** Once a minute, and when this machine's clock was set. Rejects while the database is away and a measure is due. */
  measure(): Promise<void>;
  /**
   * How far the database's clock is ahead of this machine's, in microseconds, as it was measured last, less what this machine's was
   * set by since. An SQLite file is of this machine.
   */
  known(): Micros;
}

export function createClockSkew(database: Database): ClockSkew {
  let skew = 0;
  let measuredMs = -Infinity;
  let steadyMs = wallLessSteadyMs();
  const setMicros = (): Micros => {
    const passed = wallLessSteadyMs() - steadyMs;
    return Math.abs(passed) < GREATEST_DRIFT_MS ? 0 : Math.round(passed * 1000);
  };
  return {
    async measure() {
      if (database.kind === 'sqlite') return;
      if (performance.now() - measuredMs < MEASURE_EVERY_MS && setMicros() === 0) return;
      const now = sql<{ now: number }>`select extract(epoch from clock_timestamp()) * 1000000 as now`;
      const [row] = (await now.execute(database.tables())).rows;
      const measured = Number(row?.now) - Date.now() * 1000;
      skew = Math.abs(measured) < LEAST_SKEW_MICROS ? 0 : Math.round(measured);
      measuredMs = performance.now();
      steadyMs = wallLessSteadyMs();
    },
    known: () => (measuredMs === -Infinity ? 0 : skew - setMicros()),
  };
}

const wallLessSteadyMs = (): number => Date.now() - performance.now();
