// Where tests keep files that nobody looks for after them.

import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const ROOM_BYTES = 1024 ** 3;

/** A folder in memory, where an fsync costs nothing; the one for temporary files where there is none with room. */
export function memoryFolder(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    return bavail * bsize >= ROOM_BYTES ? '/dev/shm' : tmpdir();
  } catch {
    return tmpdir();
  }
}
