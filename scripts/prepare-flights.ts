// Makes the flights example's data: 3,000,000 real US flights, moved by whole weeks so that the last has just landed,
// and the spine (a sample of departures with their outcome). `node scripts/prepare-flights.ts` runs it alone.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { quoteText } from '../src/storage/index.ts';

export interface PreparedFlights {
  /** When it was made; every flight had landed by then. */
  readonly preparedAtMicros: number;
  readonly flights: number;
  readonly spineRows: number;
  /** Departure of the oldest flight. */
  readonly firstMicros: number;
  readonly lastKnownMicros: number;
  /** The recipe's version: data made by another recipe is made again. */
  readonly recipe: number;
}

const RECIPE = 1;
const HOUR_MICROS = 3_600_000_000;

/**
 * Writes `flights/flights.parquet` and `spine.parquet` under `directory`, whole or not at all; data younger than an
 * hour is kept as it is (older data would leave the shortest windows empty when read now).
 */
export async function prepareFlights(
  directory: string,
  nowMicros: number,
): Promise<PreparedFlights & { reused: boolean }> {
  const recordFile = join(directory, 'prepared.json');
  const existing = readRecord(recordFile);
  if (
    existing !== undefined &&
    existing.recipe === RECIPE &&
    nowMicros - existing.preparedAtMicros < HOUR_MICROS &&
    existsSync(join(directory, 'flights', 'flights.parquet')) &&
    existsSync(join(directory, 'spine.parquet'))
  ) {
    return { ...existing, reused: true };
  }
  mkdirSync(join(directory, 'flights'), { recursive: true });
  rmSync(recordFile, { force: true });
  // The package exports only its index, which lies in build/ beside data/.
  const raw = fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run(moveToNow(raw, nowMicros));
    await writeParquet(connection, 'SELECT * FROM flights ORDER BY ALL', join(directory, 'flights', 'flights.parquet'));
    await writeParquet(connection, SPINE, join(directory, 'spine.parquet'));
    const [row] = (await connection.runAndReadAll(SUMMARY(directory))).getRowsJS();
    const [flights, spineRows, firstMicros, lastKnownMicros] = (row as unknown[]).map(Number) as [
      number,
      number,
      number,
      number,
    ];
    const record: PreparedFlights = {
      preparedAtMicros: nowMicros,
      flights,
      spineRows,
      firstMicros,
      lastKnownMicros,
      recipe: RECIPE,
    };
    writeFileSync(recordFile, `${JSON.stringify(record, null, 2)}\n`);
    return { ...record, reused: false };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/**
 * The raw file covers 2001-01-01 to 2001-07-01: 26 weeks, local departure time, distance in miles and the arrival's
 * delay in minutes. A delay is known on landing: some 8 miles a minute, 40 minutes on the ground and in the pattern,
 * and the delay itself; a handful of impossible delays (-1,116 minutes) land 20 minutes after departure at the least.
 *
 * Every flight moves by whole weeks, so it keeps its weekday and hour: as many as bring the first half of 2001 up to
 * now, and for the flights which would then land in the future 26 weeks less, which puts them before the others.
 */
function moveToNow(raw: string, nowMicros: number): string {
  return `
    CREATE TABLE flights AS
    WITH flown AS (
      SELECT origin, destination, distance, delay, date,
        date + to_minutes(greatest(20, distance // 8 + 40 + delay)) AS landed,
        make_timestamp(${nowMicros}) AS now
      FROM read_parquet(${quoteText(raw)})
    ),
    shift AS (SELECT ceil(epoch_us(max(now) - max(landed)) / 604800e6)::BIGINT AS weeks FROM flown),
    moved AS (
      SELECT *, CASE WHEN landed + to_weeks(weeks::INTEGER) <= now THEN weeks ELSE weeks - 26 END::INTEGER AS by_weeks
      FROM flown, shift
    )
    SELECT origin, destination, distance::FLOAT AS distance, delay::DOUBLE AS delay,
      date + to_weeks(by_weeks) AS departed_at, landed + to_weeks(by_weeks) AS landed_at
    FROM moved`;
}

// Every tenth departure, once 30 days of history lie before it: what a training set asks the features of.
const SPINE = `
  SELECT origin, destination, distance, departed_at AS scheduled_at, delay > 15 AS late
  FROM (SELECT *, row_number() OVER (ORDER BY departed_at, origin, destination, distance, delay) AS place FROM flights)
  WHERE place % 10 = 0 AND departed_at >= (SELECT min(departed_at) FROM flights) + INTERVAL 30 DAY
  ORDER BY place`;

const SUMMARY = (directory: string): string => `
  SELECT count(*), (SELECT count(*) FROM read_parquet(${quoteText(join(directory, 'spine.parquet'))})),
    epoch_us(min(departed_at)), epoch_us(max(landed_at)) FROM flights`;

// Written beside its place and renamed: a kill halfway leaves no half file that a glob would match.
async function writeParquet(connection: DuckDBConnection, query: string, path: string): Promise<void> {
  const beside = `${path}.tmp`;
  await connection.run(`COPY (${query}) TO ${quoteText(beside)} (FORMAT parquet, COMPRESSION zstd)`);
  renameSync(beside, path);
}

function readRecord(file: string): PreparedFlights | undefined {
  try {
    // The file is ours and holds what was written above; a recipe number guards against an older shape.
    return JSON.parse(readFileSync(file, 'utf8')) as PreparedFlights;
  } catch {
    return undefined; // none yet, or cut short by a kill: the data is made again
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const directory = fileURLToPath(new URL('../feature_repo/data/', import.meta.url));
  const started = performance.now();
  const prepared = await prepareFlights(directory, Date.now() * 1000);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `${prepared.flights.toLocaleString('en-US')} flights, ${prepared.spineRows.toLocaleString('en-US')} spine rows in ` +
      `${directory} (${prepared.reused ? 'kept: less than an hour old' : `made in ${seconds} s`})`,
  );
}
