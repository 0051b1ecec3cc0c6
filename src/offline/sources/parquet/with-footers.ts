// Of pinned Parquet files those that can hold rows of the range, with what their footers say.

import type { SourceSpec } from '../../../definitions/index.ts';
import type { SnapshotFile } from '../../../online/index.ts';
import { nameIn } from '../../facts/raw-rows.ts';
import { type EventRange, overlaps } from '../event-range.ts';
import { knownTimes } from '../known-times.ts';
import { refuseDenied } from '../path-partitions.ts';
import { type PinnedSnapshot, pickFiles } from '../pinned-snapshot.ts';
import type { SourceDeps } from '../source-deps.ts';
import type { Footer } from './footer.ts';
import { openFooterCache } from './footer-cache.ts';
import { readFooters } from './read-footers.ts';

/** As `inRange`, near at hand where that is cheaper. Takes over the snapshot: it is closed where this throws. */
export async function withFooters(
  source: SourceSpec,
  snapshot: PinnedSnapshot,
  range: EventRange,
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  try {
    const { footers = [], ...picked } = await inRange(source, snapshot, range, deps);
    const near = (await picked.copy?.(picked.files)) ?? picked;
    if (near !== picked) await snapshot.close();
    return { ...near, skipped: picked.skipped ?? 0, footers };
  } catch (error) {
    await snapshot.close();
    throw error;
  }
}

/** The snapshot itself, of the files that can hold rows of the range. Throws HR_SOURCE_UNREADABLE. */
export async function inRange(
  source: SourceSpec,
  snapshot: PinnedSnapshot,
  range: EventRange,
  deps: SourceDeps,
): Promise<PinnedSnapshot> {
  const footers = await footersOf(source, snapshot, deps);
  // A derived time is no column of the file's.
  const column = source.columns.find(({ name }) => name === source.eventTime);
  footers.forEach((footer, i) => {
    const rows = knownTimes(source, footer);
    if (rows !== undefined) refuseDenied(source, (snapshot.files[i] as SnapshotFile).path, rows);
  });
  const kept = footers.flatMap(({ ranges }, i) => {
    const name = column === undefined ? null : nameIn(column, snapshot.names?.[i]);
    const rows = name === null ? undefined : ranges.get(name.toLowerCase());
    return rows === undefined || rows.hasNulls || overlaps(rows, range) ? [i] : [];
  });
  return { ...pickFiles(snapshot, kept), footers: kept.map((i) => footers[i] as Footer) };
}

async function footersOf(
  source: SourceSpec,
  { files, paths }: PinnedSnapshot,
  { duckdb, dataDirectory }: SourceDeps,
): Promise<readonly Footer[]> {
  const cache = await openFooterCache(dataDirectory, source.name);
  const known = files.map((file) => cache.get(file));
  const unknown = files.flatMap((file, i) => (known[i] === undefined ? [{ file, path: paths[i] as string }] : []));
  const read = await readFooters(
    duckdb,
    `source "${source.name}"`,
    unknown.map(({ file, path }) => ({ name: file.path, path })),
  );
  const found = new Map<SnapshotFile, Footer>(unknown.map(({ file }, i) => [file, read[i] as Footer]));
  await cache.add(found);
  return files.map((file, i) => (known[i] ?? found.get(file)) as Footer);
}
