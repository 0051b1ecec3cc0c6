// Turns ended segments into Parquet by hour. Each step can be cut off anywhere, and two processes can do the same at
// once: a segment's Parquet files have its name, are complete before they get it, and the segment goes last.

import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { type Clock, type Micros, MICROS_PER_HOUR } from '../../core/index.ts';
import type { DuckDb } from '../../storage/index.ts';
import { HOUR_COLUMN, segmentsSql, sqlText } from './log-columns.ts';
import { hourOf, newestOutcome } from './log-relation.ts';
import { isEnded, listParquet, listSegments, parquetFolder, type RecordKind, type Segment } from './segments.ts';

export interface CompactOptions {
  readonly directory: string;
  /** Opened only when there is something to do. */
  readonly duckdb: () => Promise<DuckDb>;
  readonly clock: Clock;
  /** Hours that ended longer ago are deleted; all are kept when left out. */
  readonly keepMicros?: number;
  /** The oldest hours are deleted while the Parquet files are larger together; no limit when left out. */
  readonly maxBytes?: number;
}

export interface CompactReport {
  readonly segments: number;
  readonly rows: number;
  readonly files: number;
  /** Parquet files that were too old, or too much. */
  readonly deleted: number;
}

const KINDS: readonly RecordKind[] = ['predictions', 'outcomes'];

/** Compacts every ended segment in `directory`, those of dead processes too. */
export async function compactPredictionLog(options: CompactOptions): Promise<CompactReport> {
  const { directory, duckdb, clock, keepMicros = Infinity, maxBytes = Infinity } = options;
  const report = { segments: 0, rows: 0, files: 0, deleted: 0 };
  for (const kind of KINDS) {
    const segments = await listSegments(directory, kind);
    const ended = segments.filter((segment) => isEnded(segment, segments, clock.nowMicros()));
    if (ended.length === 0) continue;
    const connection = await (await duckdb()).connect();
    try {
      for (const segment of ended) {
        const done = await compactSegment(connection, directory, kind, segment);
        if (done === undefined) continue;
        report.segments++;
        report.rows += done.rows;
        report.files += done.files;
      }
    } finally {
      connection.closeSync();
    }
  }
  report.deleted = await deleteOldest(directory, clock.nowMicros() - keepMicros, maxBytes);
  await removeLeftovers(directory, clock);
  return report;
}

const temporaryFolder = (directory: string): string => join(directory, 'temporary');

// Undefined when another process compacted the segment meanwhile.
async function compactSegment(
  connection: DuckDBConnection,
  directory: string,
  kind: RecordKind,
  { name, path }: Segment,
): Promise<{ rows: number; files: number } | undefined> {
  const hourColumn = HOUR_COLUMN[kind];
  const once =
    kind === 'outcomes'
      ? newestOutcome
      : `QUALIFY row_number() OVER (PARTITION BY prediction_id ORDER BY ${hourColumn}) = 1`;
  try {
    await connection.run(`CREATE OR REPLACE TEMP TABLE hr_segment AS SELECT *, make_timestamp(epoch_us(${hourColumn})) AS hr_hour \
FROM (${segmentsSql(kind, [path])}) ${once}`);
  } catch (error) {
    if (await isGone(path)) return undefined;
    throw error;
  }
  const hours = await connection.runAndReadAll(
    `SELECT strftime(hr_hour, '%Y-%m-%d') AS date, strftime(hr_hour, '%H') AS hour, count(*)::INTEGER FROM hr_segment GROUP BY ALL`,
  );
  const counted = hours.getRows() as [string, string, number][];
  await mkdir(temporaryFolder(directory), { recursive: true });
  let rows = 0;
  for (const [date, hour, count] of counted) {
    const temporary = join(temporaryFolder(directory), `${name}-${randomBytes(6).toString('hex')}.parquet`);
    await connection.run(`COPY (SELECT * EXCLUDE (hr_hour) FROM hr_segment WHERE strftime(hr_hour, '%Y-%m-%d %H') = '${date} ${hour}' \
ORDER BY ${hourColumn}) TO ${sqlText(temporary)} (FORMAT parquet, COMPRESSION zstd)`);
    await putInPlace(
      temporary,
      join(parquetFolder(directory, kind), `date=${date}`, `hour=${hour}`, `${name}.parquet`),
    );
    rows += count;
  }
  await connection.run('DROP TABLE hr_segment');
  await rm(path, { force: true });
  return { rows, files: counted.length };
}

async function putInPlace(temporary: string, path: string): Promise<void> {
  await syncPath(temporary);
  await mkdir(dirname(path), { recursive: true });
  await rename(temporary, path);
  // The names, from the file's up to the date's folder, must be durable before the segment goes.
  for (const folder of [dirname(path), dirname(dirname(path)), dirname(dirname(dirname(path)))]) await syncPath(folder);
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function isGone(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    () => true,
  );
}

async function deleteOldest(directory: string, endedBefore: Micros, maxBytes: number): Promise<number> {
  const paths = (await Promise.all(KINDS.map((kind) => listParquet(directory, kind)))).flat();
  let deleted = 0;
  let bytes = 0;
  // Newest first, so that what no longer fits is the oldest.
  for (const path of paths.toSorted((a, b) => hourOf(b) - hourOf(a))) {
    bytes += await sizeOf(path);
    if (hourOf(path) + MICROS_PER_HOUR > endedBefore && bytes <= maxBytes) continue;
    await rm(path, { force: true });
    deleted++;
  }
  return deleted;
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

// Files of a compaction that was killed.
async function removeLeftovers(directory: string, clock: Clock): Promise<void> {
  const folder = temporaryFolder(directory);
  const limitMs = (clock.nowMicros() - MICROS_PER_HOUR) / 1000;
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
    if (mtimeMs < limitMs) await rm(path, { force: true });
  }
}
