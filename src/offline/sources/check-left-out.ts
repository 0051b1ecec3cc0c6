// Files that their folders leave out of a run are looked at once in their life, to see that no row in them is of another time: it
// would be lost without a word. What was found is kept by the file's identity, beside the footers.

import type { SourceSpec } from '../../definitions/index.ts';
import type { SnapshotFile } from '../../online/index.ts';
import { checkFolders, readTimes } from '../facts/check-folders.ts';
import { openFileRows } from '../facts/open-facts.ts';
import { type EventRange, NO_EVENTS } from './event-range.ts';
import { knownTimes, timesAlone } from './known-times.ts';
import { openFooterCache } from './parquet/footer-cache.ts';
import { inRange } from './parquet/with-footers.ts';
import { refuseDenied } from './path-partitions.ts';
import { type LeftOut, type PinnedSnapshot, pickFiles, readPinned } from './pinned-snapshot.ts';
import { haveRoom } from './s3/pin-objects.ts';
import type { SourceDeps } from './source-deps.ts';

/** Files that are read for their times by one query. */
const FILES_AT_ONCE = 64;

/** Throws HR_SOURCE_UNREADABLE naming a file with a row that its folder denies, or one that can't be read; HR_SOURCE_CHANGED. */
export async function checkLeftOut(source: SourceSpec, leftOut: LeftOut, deps: SourceDeps): Promise<void> {
  const cache = await openFooterCache(deps.dataDirectory, source.name);
  const unknown: SnapshotFile[] = [];
  for (const file of await leftOut.files()) {
    const times = knownTimes(source, cache.get(file));
    if (times === undefined) unknown.push(file);
    else refuseDenied(source, file.path, times);
  }
  if (unknown.length === 0) return;
  const pinned = await leftOut.pin(unknown);
  if (pinned === undefined) return warn(source, unknown, deps);
  try {
    await readPinned([pinned], `source "${source.name}" cannot be read`, () => checkPinned(source, pinned, deps));
  } finally {
    await pinned.close();
  }
}

async function checkPinned(source: SourceSpec, pinned: PinnedSnapshot, deps: SourceDeps): Promise<void> {
  const untold = pinned.format === 'parquet' ? await inRange(source, pinned, NO_EVENTS, deps) : pinned;
  const isElsewhere = untold.knownBy === 'etag';
  if (isElsewhere && !haveRoom(untold.files, deps)) return warn(source, untold.files, deps);
  await checkFolders(source, untold, deps, async (unread) => {
    const found = new Map<number, EventRange>();
    for (let start = 0; start < unread.length; start += FILES_AT_ONCE) {
      const some = unread.slice(start, start + FILES_AT_ONCE);
      const times = await readSome(source, pickFiles(untold, some), deps);
      for (const [i, range] of times) found.set(some[i] as number, range);
    }
    return found;
  });
}

async function readSome(
  source: SourceSpec,
  snapshot: PinnedSnapshot,
  deps: SourceDeps,
): Promise<ReadonlyMap<number, EventRange>> {
  const { footers } = snapshot;
  const copies = await snapshot.copy?.(snapshot.files);
  const connection = await deps.duckdb.connect();
  try {
    const read = copies === undefined ? snapshot : { ...copies, ...(footers !== undefined && { footers }) };
    const all = snapshot.files.map((_, i) => i);
    const rows = await openFileRows(connection, timesAlone(source), deps, read);
    return await readTimes(connection, source, rows(all), all);
  } finally {
    connection.closeSync();
    await copies?.close();
  }
}

function warn({ name }: SourceSpec, files: readonly SnapshotFile[], { logger }: SourceDeps): void {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  logger.warn(
    { source: name, files: files.length, bytes },
    'files that their folders leave out were not looked at for rows of another time: they are more than half of offline.cache',
  );
}
