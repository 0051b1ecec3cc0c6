// When a kept copy was last used: its access time. Its time of change stays, as readers know by it that the file is the same.

import { stat, utimes } from 'node:fs/promises';

/** Before a copy gets its name. A whole second: a finer time could not be set again as it was. */
export async function startUse(path: string): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  await utimes(path, now, now);
}

/** False where there is no such copy. */
export async function markUsed(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    await utimes(path, Date.now() / 1000, mtimeMs / 1000);
    return true;
  } catch {
    return false;
  }
}
