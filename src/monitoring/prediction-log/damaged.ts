// What can't be read of a segment is set apart, byte by byte as it was, and counted.

import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { damagedFolder, namesIn } from './segments.ts';

/** Durable once resolved. A repeat after a compaction that was cut off changes nothing. */
export async function setApart(directory: string, segment: string, at: number, bytes: Uint8Array): Promise<void> {
  const folder = damagedFolder(directory);
  await mkdir(folder, { recursive: true });
  const handle = await open(join(folder, `${segment}-${at}.bytes`), 'w');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export interface DamagedParts {
  readonly parts: number;
  readonly bytes: number;
}

export async function countDamaged(directory: string): Promise<DamagedParts> {
  const folder = damagedFolder(directory);
  const names = await namesIn(folder);
  const sizes = await Promise.all(names.map((name) => stat(join(folder, name)).then(({ size }) => size)));
  return { parts: names.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
