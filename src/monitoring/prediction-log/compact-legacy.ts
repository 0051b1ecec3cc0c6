// Segments of JSON lines into Parquet with columns of JSON, as they became before records were binary. A line that DuckDB
// leaves out, such as one with a surrogate that stands alone, is set apart.

import { rm } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { CompactOptions, Tally } from './compact-report.ts';
import { setApart } from './damaged.ts';
import {
  isLegacyEnded,
  type LegacyKind,
  type LegacySegment,
  legacySql,
  linesOf,
  listLegacySegments,
} from './legacy-segments.ts';
import { HOUR_COLUMN, newestOutcome } from './log-columns.ts';
import { putParquet } from './put-parquet.ts';
import { parquetFolder } from './segments.ts';

const KINDS: readonly LegacyKind[] = ['predictions', 'outcomes'];

export async function compactLegacySegments(
  connection: () => Promise<DuckDBConnection>,
  options: CompactOptions,
  fileNow: () => Promise<number>,
  tally: Tally,
): Promise<void> {
  for (const kind of KINDS) {
    const segments = await listLegacySegments(options.directory, kind);
    if (segments.length === 0) continue;
    const now = await fileNow();
    for (const segment of segments) {
      if (await isLegacyEnded(segment, now)) await compactOne(await connection(), options, kind, segment, tally);
    }
  }
}

async function compactOne(
  connection: DuckDBConnection,
  { directory, pause }: CompactOptions,
  kind: LegacyKind,
  { name, path }: LegacySegment,
  tally: Tally,
): Promise<void> {
  const table = 'hr_legacy_segment';
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${table} AS ${legacySql(kind, [path])}`);
  try {
    const counted = await connection.runAndReadAll(`SELECT count(*)::INTEGER FROM ${table}`);
    const rows = counted.getRows()[0]?.[0] as number;
    const lines = await linesOf(path);
    if (rows < lines.length) {
      for (const { from, line } of lines) {
        if (isRead(line)) continue;
        await setApart(directory, name, from, line);
        tally.damaged++;
      }
    }
    const hourColumn = HOUR_COLUMN[kind];
    const once =
      kind === 'outcomes'
        ? newestOutcome
        : `QUALIFY row_number() OVER (PARTITION BY prediction_id ORDER BY ${hourColumn}) = 1`;
    const folder = parquetFolder(directory, kind);
    const select = `SELECT * FROM ${table} ${once}`;
    tally.files += await putParquet({ connection, directory, folder, name, hourColumn, select, pause });
    tally.rows += rows;
    tally.segments++;
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${table}`);
  }
  await rm(path, { force: true });
}

// As far as it can be told without DuckDB: JSON, and no surrogate that stands alone.
function isRead(line: Buffer): boolean {
  try {
    return isWellFormed(JSON.parse(line.toString('utf8')));
  } catch {
    return false;
  }
}

function isWellFormed(json: unknown): boolean {
  if (typeof json === 'string') return json.isWellFormed();
  if (json === null || typeof json !== 'object') return true;
  return Object.entries(json).every(([name, value]) => name.isWellFormed() && isWellFormed(value));
}
