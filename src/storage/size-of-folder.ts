// How much a folder holds.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of its files, those of folders in it too; 0 where it is not there. */
export async function sizeOfFolder(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    bytes += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
