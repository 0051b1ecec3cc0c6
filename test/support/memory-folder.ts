// Where tests keep files that nobody looks for after them.

import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** More than the files of two workers and their servers take. */
const ROOM_BYTES = 4 * 1024 ** 3;

/** A folder in memory, where an fsync costs nothing; the one for temporary files where there is none with room. */
export function memoryFolder(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    return bavail * bsize >= ROOM_BYTES ? '/dev/shm' : tmpdir();
  } catch {
    return tmpdir();
  }
}
