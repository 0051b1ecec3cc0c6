// How far the database's clock is from this machine's, so that what several machines write of a time can be compared.

import { sql } from 'kysely';
import type { Micros } from '../../core/index.ts';
import type { Database } from './database.ts';

const MEASURE_EVERY_MS = 60_000;
/** A query takes its time: what is less says nothing. */
const LEAST_SKEW_MICROS = 200_000;

/**
 * How far the database's clock is ahead of this machine's, in microseconds; measured once a minute. An SQLite file is of this
 * machine. Rejects while the database is away and a measure is due.
 */
export function createClockSkew(database: Database): () => Promise<Micros> {
  let skew = 0;
  let measuredMs = -Infinity;
  return async () => {
    if (database.kind === 'sqlite' || performance.now() - measuredMs < MEASURE_EVERY_MS) return skew;
    const now = sql<{ now: number }>`select extract(epoch from clock_timestamp()) * 1000000 as now`;
    const [row] = (await now.execute(database.tables())).rows;
    const measured = Number(row?.now) - Date.now() * 1000;
    skew = Math.abs(measured) < LEAST_SKEW_MICROS ? 0 : Math.round(measured);
    measuredMs = performance.now();
    return skew;
  };
}
