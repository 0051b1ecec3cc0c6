// Turns ended segments into Parquet by endpoint, schema and hour. Each step can be cut off anywhere, and two processes can
// do the same at once: a segment's Parquet files have its name, are complete before they get it, and the segment goes last.

import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { MICROS_PER_HOUR } from '../../core/index.ts';
import { compactLegacySegments } from './compact-legacy.ts';
import type { CompactOptions, CompactReport, Tally } from './compact-report.ts';
import { setApart } from './damaged.ts';
import { removeDecoded } from './decoded-segments.ts';
import { KEEP_ALL } from './keep-rules.ts';
import { findKeptSchema, keepSchema } from './kept-schemas.ts';
import { createLogTables, outcomesSql, unitOutcomesSql } from './load-segment.ts';
import { columnsSql, HOUR_COLUMN, newestUnitOutcome, typedSql } from './log-columns.ts';
import { deleteOldest, removeLeftovers } from './log-retention.ts';
import { putParquet } from './put-parquet.ts';
import {
  listWriters,
  noneIfGone,
  parquetFolder,
  schemaFolder,
  type Segment,
  temporaryFolder,
  type WriterFolder,
} from './segments.ts';
import { fileSystemNow, takeDead } from './writer-lease.ts';

/** Compacts every segment in `directory` that is ended or whose writer is dead. */
export async function compactPredictionLog(options: CompactOptions): Promise<CompactReport> {
  const { directory, duckdb, clock, keep = KEEP_ALL, maxBytes = Infinity } = options;
  const tally: Tally = { segments: 0, rows: 0, files: 0, damaged: 0, deleted: 0 };
  let opened: DuckDBConnection | undefined;
  let now: number | undefined;
  // By the clock that sets leases, and only where there are any.
  const fileNow = async (): Promise<number> =>
    (now ??= await fileSystemNow(temporaryFolder(directory), `now-${randomBytes(6).toString('hex')}`));
  const connection = async (): Promise<DuckDBConnection> => (opened ??= await (await duckdb()).connect());
  try {
    for (const writer of await listWriters(directory)) {
      const ended = writer.segments.filter(({ isEnded }) => isEnded);
      for (const segment of ended) await compactSegment(await connection(), options, segment, tally);
      if (ended.length < writer.segments.length || writer.segments.length === 0)
        await compactDead(connection, options, writer, await fileNow(), tally);
    }
    await compactLegacySegments(connection, options, fileNow, tally);
  } finally {
    opened?.closeSync();
  }
  tally.deleted = await deleteOldest(directory, keep, clock.nowMicros(), maxBytes);
  await removeLeftovers(directory, clock.nowMicros() - MICROS_PER_HOUR);
  return tally;
}

// The folder goes, too, once nothing is in it.
async function compactDead(
  connection: () => Promise<DuckDBConnection>,
  options: CompactOptions,
  { path, segments }: WriterFolder,
  nowMs: number,
  tally: Tally,
): Promise<void> {
  const dead = await takeDead(path, nowMs);
  if (dead === undefined) return;
  try {
    for (const segment of segments.filter(({ isEnded }) => !isEnded)) {
      await compactSegment(await connection(), options, segment, tally);
    }
  } finally {
    await dead.release();
  }
}

async function compactSegment(
  connection: DuckDBConnection,
  options: CompactOptions,
  { name, path }: Segment,
  tally: Tally,
): Promise<void> {
  const { directory, pause } = options;
  const bytes = await readFile(path).catch(noneIfGone);
  // Another process compacted it meanwhile.
  if (bytes === undefined) return;
  const tables = createLogTables(connection, {
    schemaOf: (id) => findKeptSchema(directory, id),
    ...(pause === undefined ? {} : { pause }),
  });
  try {
    const { damaged } = await tables.load(bytes);
    tables.finish();
    for (const range of damaged) await setApart(directory, name, range.from, bytes.subarray(range.from, range.to));
    for (const table of tables.predictions) {
      const { named, rows } = table;
      if (rows === 0) continue;
      await keepSchema(directory, named);
      const folder = schemaFolder(directory, named.schema.endpoint, named.id);
      const put = { connection, directory, folder, name, hourColumn: 'predicted_at', pause };
      tally.files += await putParquet({ ...put, select: typedSql(table) });
      tally.rows += rows;
    }
    const putOutcomes = async (kind: 'outcomes' | 'unit_outcomes', select: string, rows: number): Promise<void> => {
      const folder = parquetFolder(directory, kind);
      const put = { connection, directory, folder, name, hourColumn: HOUR_COLUMN[kind], select, pause };
      tally.files += await putParquet(put);
      tally.rows += rows;
    };
    if (tables.outcomes !== undefined) {
      const { table, rows } = tables.outcomes;
      await putOutcomes('outcomes', columnsSql('outcomes', outcomesSql(table)), rows);
    }
    if (tables.unitOutcomes !== undefined) {
      const { table, rows } = tables.unitOutcomes;
      const select = `${columnsSql('unit_outcomes', unitOutcomesSql(table))} ${newestUnitOutcome}`;
      await putOutcomes('unit_outcomes', select, rows);
    }
    tally.damaged += damaged.length;
    tally.segments++;
  } finally {
    await tables.drop();
  }
  await rm(path, { force: true });
  await removeDecoded(directory, name);
  await pause?.();
}
