// What goes from the log: its oldest hours, past an age or a size, and files of a compaction that was killed.

import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Micros, MICROS_PER_HOUR } from '../../core/index.ts';
import { listParquet, temporaryFolder } from './segments.ts';

/** Gives the number of files that went. */
export async function deleteOldest(directory: string, endedBefore: Micros, maxBytes: number): Promise<number> {
  const files = [...(await listParquet(directory, 'predictions')), ...(await listParquet(directory, 'outcomes'))];
  let deleted = 0;
  let bytes = 0;
  // Newest first, so that what no longer fits is the oldest.
  for (const { path, hour } of files.toSorted((a, b) => b.hour - a.hour)) {
    bytes += await sizeOf(path);
    if (hour + MICROS_PER_HOUR > endedBefore && bytes <= maxBytes) continue;
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

export async function removeLeftovers(directory: string, olderThan: Micros): Promise<void> {
  const folder = temporaryFolder(directory);
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < olderThan / 1000) await rm(path, { recursive: true, force: true });
  }
}
