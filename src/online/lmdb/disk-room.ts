// Whether a disk has room for another commit. LMDB's library writes past the end of a text of its own when the system
// refuses a write whole (mdb.c, a message of over 100 bytes), which may end the process some time later; a write that is cut
// short it survives. So it is not asked to write on a disk that is all but full.

import { statfsSync } from 'node:fs';
import { diskFull } from './lmdb-errors.ts';

const LEAST_FREE_BYTES = 64 * 1024;

/** Throws HR_STORAGE_FULL unless `bytes`, and a little more, are free where `path` lies. */
export function ensureRoom(path: string, bytes = 0): void {
  const { bavail, bsize } = statfsSync(path);
  if (bavail * bsize < LEAST_FREE_BYTES + bytes) throw diskFull(path);
}
