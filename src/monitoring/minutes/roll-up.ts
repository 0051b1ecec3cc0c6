// Minutes into hours, and the end of both. An hour is made whole from its minutes, so making it again changes nothing: it is
// made when it ended, and again when rows of it came late.

import {
  floorTo,
  type Micros,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  stringifyJson,
} from '../../core/index.ts';
import { type Database, holdsLease, type LeaseToken, type SharedClock } from '../../storage/index.ts';
import { createSketch, mergeSketch, packSketch, unpackSketch } from '../monitor/latency-sketch.ts';
import { addCounts, noCounts } from './minute-counts.ts';
import { type HourColumns, migrateMinutes, type MinuteTables } from './minute-tables.ts';
import { countColumns, countsOf, readSketch } from './row-columns.ts';
import { rollUpViews } from './view-minutes.ts';

export interface RollUp {
  readonly database: Database;
  readonly clock: SharedClock;
  /** How long they are kept. */
  readonly minutesMicros: Micros;
  readonly hoursMicros: Micros;
}

/** A transaction that was begun before may still be on its way. */
const SLACK_MICROS = 2 * MICROS_PER_MINUTE;
/** A server that has not written for so long does not live. */
const WRITER_MICROS = MICROS_PER_DAY;

/** One round. Writes nothing where another holds the lease by now. Throws what the database throws. */
export async function rollUp(given: RollUp, held: LeaseToken, signal: AbortSignal): Promise<void> {
  const database = await migrateMinutes(given.database);
  const now = await given.clock.set();
  const through = await readThrough(database);
  for (const hour of await hoursToMake(database, through, now)) {
    for (const name of await seriesOf(database, hour)) {
      if (signal.aborted) return;
      await underLease(database, held, async (db) => makeHour(db, hour, name));
    }
  }
  if (signal.aborted) return;
  await rollUpViews(database, (work) => underLease(database, held, work), through - SLACK_MICROS, now);
  await underLease(database, held, async (db) => {
    await writeThrough(db, now);
    // Minutes are needed until their hour is made.
    const minutesBefore = Math.min(now - given.minutesMicros, floorTo(now, MICROS_PER_HOUR));
    await db.deleteFrom('monitoring_minutes').where('minute', '<', minutesBefore).execute();
    const hoursBefore = now - given.hoursMicros;
    await db.deleteFrom('monitoring_hours').where('hour', '<', hoursBefore).execute();
    await db.deleteFrom('monitoring_views').where('step', '=', 'minute').where('at', '<', minutesBefore).execute();
    await db.deleteFrom('monitoring_views').where('step', '=', 'hour').where('at', '<', hoursBefore).execute();
    await db
      .deleteFrom('monitoring_writers')
      .where('reported_at', '<', now - WRITER_MICROS)
      .execute();
  });
}

type Db = ReturnType<typeof tablesOf>;
const tablesOf = (database: Database) => database.tables<MinuteTables>();

async function underLease(database: Database, held: LeaseToken, work: (db: Db) => Promise<void>): Promise<void> {
  await database.transaction<MinuteTables, void>(async (trx) => {
    if (await holdsLease(trx, database.kind, held)) await work(trx);
  });
}

/** Up to when all that was reported is in the hours that had ended. */
async function readThrough(database: Database): Promise<Micros> {
  const row = await tablesOf(database).selectFrom('monitoring_rollup').select('through').executeTakeFirst();
  return row?.through ?? 0;
}

async function writeThrough(db: Db, through: Micros): Promise<void> {
  await db
    .insertInto('monitoring_rollup')
    .values({ id: 1, through })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ through }))
    .execute();
}

/** Those that ended since, and earlier ones that rows came late for. */
async function hoursToMake(database: Database, through: Micros, now: Micros): Promise<readonly Micros[]> {
  const current = floorTo(now, MICROS_PER_HOUR);
  const since = through - SLACK_MICROS;
  const rows = await tablesOf(database)
    .selectFrom('monitoring_minutes')
    .select('minute')
    .distinct()
    .where('minute', '<', current)
    .where((row) => row.or([row('minute', '>=', floorTo(since, MICROS_PER_HOUR)), row('reported_at', '>=', since)]))
    .execute();
  return [...new Set(rows.map(({ minute }) => floorTo(minute, MICROS_PER_HOUR)))].sort((a, b) => a - b);
}

interface SeriesName {
  readonly kind: string;
  readonly name: string;
}

async function seriesOf(database: Database, hour: Micros): Promise<readonly SeriesName[]> {
  return tablesOf(database)
    .selectFrom('monitoring_minutes')
    .select(['kind', 'name'])
    .distinct()
    .where('minute', '>=', hour)
    .where('minute', '<', hour + MICROS_PER_HOUR)
    .where('kind', '!=', 'outcome')
    .execute();
}

async function makeHour(db: Db, hour: Micros, { kind, name }: SeriesName): Promise<void> {
  const rows = await db
    .selectFrom('monitoring_minutes')
    .select(['variant', 'version', 'requests', 'rows', 'errors', 'refused', 'rejected', 'slow', 'nulls'])
    .select(['breaker_opens', 'latency'])
    .where('kind', '=', kind)
    .where('name', '=', name)
    .where('minute', '>=', hour)
    .where('minute', '<', hour + MICROS_PER_HOUR)
    .execute();
  const sums = new Map<
    string,
    { variant: string; version: number; counts: ReturnType<typeof noCounts>; latency: ReturnType<typeof createSketch> }
  >();
  for (const row of rows) {
    const { variant, version } = row;
    const key = JSON.stringify([variant, version]);
    const sum = sums.get(key) ?? { variant, version, counts: noCounts(), latency: createSketch() };
    sums.set(key, sum);
    addCounts(sum.counts, countsOf(row));
    mergeSketch(sum.latency, unpackSketch(readSketch(row.latency)));
  }
  for (const { variant, version, counts, latency } of sums.values()) {
    const made = { ...countColumns(counts), latency: stringifyJson(packSketch(latency)) };
    const row: HourColumns = { kind, name, hour, variant, version, ...made };
    await db
      .insertInto('monitoring_hours')
      .values(row)
      .onConflict((conflict) => conflict.columns(['kind', 'name', 'hour', 'variant', 'version']).doUpdateSet(made))
      .execute();
  }
}
