// How fresh and how far covered each view's data is, by the minute and by the hour.

import { floorTo, type Micros, MICROS_PER_HOUR, MICROS_PER_MINUTE } from '../../core/index.ts';
import type { Kysely } from 'kysely';
import type { Database } from '../../storage/index.ts';
import { migrateMinutes, type MinuteTables } from './minute-tables.ts';

/** What is known of one version of a view. */
export interface ViewReading {
  readonly view: string;
  readonly version: string;
  /** Age of the newest event that the last finished run counted; null before there was one. */
  readonly freshnessSeconds: number | null;
  /** Share of the writers of whose log that run counts all that is shipped; 1 where there are none. */
  readonly coverage: number;
  /** Cuts of the logs that no run covers yet. */
  readonly uncovered: number;
}

/** Keeps them for the minute of `at`; a second reading of a minute takes the place of the first. */
export async function recordViews(opened: Database, readings: readonly ViewReading[], at: Micros): Promise<void> {
  const database = await migrateMinutes(opened);
  await database.transaction<MinuteTables, void>(async (trx) => {
    for (const reading of readings) await put(trx, 'minute', floorTo(at, MICROS_PER_MINUTE), reading);
  });
}

/** The worst of each hour that ended since, or that is not over. */
export async function rollUpViews(
  database: Database,
  write: (work: (db: Kysely<MinuteTables>) => Promise<void>) => Promise<void>,
  since: Micros,
  now: Micros,
): Promise<void> {
  const rows = await database
    .tables<MinuteTables>()
    .selectFrom('monitoring_views')
    .selectAll()
    .where('step', '=', 'minute')
    .where('at', '>=', floorTo(since, MICROS_PER_HOUR))
    .where('at', '<', floorTo(now, MICROS_PER_HOUR))
    .execute();
  const hours = new Map<string, ViewReading & { readonly hour: Micros }>();
  for (const { view, version, at, freshness, coverage, uncovered } of rows) {
    const hour = floorTo(at, MICROS_PER_HOUR);
    const key = JSON.stringify([hour, view, version]);
    const before = hours.get(key);
    hours.set(key, {
      hour,
      view,
      version,
      freshnessSeconds: oldest(before?.freshnessSeconds ?? null, freshness),
      coverage: Math.min(before?.coverage ?? 1, coverage),
      uncovered: Math.max(before?.uncovered ?? 0, uncovered),
    });
  }
  if (hours.size > 0)
    await write(async (db) => {
      for (const { hour, ...reading } of hours.values()) await put(db, 'hour', hour, reading);
    });
}

const oldest = (a: number | null, b: number | null): number | null =>
  a === null ? b : b === null ? a : Math.max(a, b);

async function put(db: Kysely<MinuteTables>, step: string, at: Micros, reading: ViewReading): Promise<void> {
  const { view, version, freshnessSeconds, coverage, uncovered } = reading;
  const told = { freshness: freshnessSeconds, coverage, uncovered };
  await db
    .insertInto('monitoring_views')
    .values({ step, view, version, at, ...told })
    .onConflict((conflict) => conflict.columns(['step', 'view', 'at', 'version']).doUpdateSet(told))
    .execute();
}
