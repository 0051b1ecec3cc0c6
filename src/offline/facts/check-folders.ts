// Whether files hold rows that their folders deny, where footers don't say between which times their rows lie: CSV has none, and a
// derived time is in none. What a reading of the rows found is kept with the footers, so a file is read for it once.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { SourceSpec } from '../../definitions/index.ts';
import type { SnapshotFile } from '../../online/index.ts';
import { type EventRange, NO_EVENTS } from '../sources/event-range.ts';
import { knownTimes, withTimes } from '../sources/known-times.ts';
import { type Footer, NO_FOOTER } from '../sources/parquet/footer.ts';
import { openFooterCache } from '../sources/parquet/footer-cache.ts';
import { refuseDenied } from '../sources/path-partitions.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import { queryWork } from '../sources/source-errors.ts';
import type { FactsDeps } from './facts.ts';

/** `read`: the times of some of the snapshot's files, by their indices. Throws HR_SOURCE_UNREADABLE. */
export async function checkFolders(
  source: SourceSpec,
  { files, footers, format }: Pick<PinnedSnapshot, 'files' | 'footers' | 'format'>,
  { dataDirectory }: Pick<FactsDeps, 'dataDirectory'>,
  read: (files: readonly number[]) => Promise<ReadonlyMap<number, EventRange>>,
): Promise<void> {
  if (source.partitions === undefined || files.length === 0) return;
  const cache = await openFooterCache(dataDirectory, source.name);
  const known = files.map((file, i) => cache.get(file) ?? footers?.[i]);
  const unread = files.flatMap((_, i) => (knownTimes(source, known[i]) === undefined ? [i] : []));
  const found = unread.length === 0 ? new Map<number, EventRange>() : await read(unread);
  const kept = new Map<SnapshotFile, Footer>();
  for (const i of unread) {
    // Of Parquet whose footer nobody read nothing is kept: a footer without columns would be taken for its own.
    const footer = known[i] ?? (format === 'csv' ? NO_FOOTER : undefined);
    if (footer !== undefined) kept.set(files[i] as SnapshotFile, withTimes(source, footer, found.get(i) ?? NO_EVENTS));
  }
  await cache.add(kept);
  for (const [i, { path }] of files.entries()) {
    const times = found.get(i) ?? knownTimes(source, known[i]);
    if (times !== undefined) refuseDenied(source, path, times);
  }
}

/** Of each file the least and the greatest event time of its rows; `rows` has `__hr_file` and `__hr_event`. */
export async function readTimes(
  connection: DuckDBConnection,
  source: SourceSpec,
  rows: string,
  files: readonly number[],
): Promise<ReadonlyMap<number, EventRange>> {
  const found = new Map<number, EventRange>(files.map((file) => [file, NO_EVENTS]));
  const read = await queryWork(`source "${source.name}" cannot be read`, 'HR_SOURCE_UNREADABLE', () =>
    connection.runAndReadAll(
      `SELECT __hr_file, CAST(min(__hr_event) AS DOUBLE), CAST(max(__hr_event) AS DOUBLE) FROM ${rows} ` +
        `WHERE __hr_event IS NOT NULL GROUP BY __hr_file`,
    ),
  );
  for (const [file, from, to] of read.getRows() as [number, number, number][]) found.set(file, { from, to });
  return found;
}
