// A disk of a few megabytes, for tests of what happens when it is full. Needs the right to mount one.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk {
  readonly path: string;
  remove(): void;
}

/** In a new folder of `parent`; undefined where this user may not mount. */
export function mountSmallDisk(megabytes: number, parent: string = tmpdir()): SmallDisk | undefined {
  const path = mkdtempSync(join(parent, 'headrace-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
  if (mounted.status !== 0) {
    rmSync(path, { recursive: true, force: true });
    return undefined;
  }
  return {
    path,
    remove() {
      spawnSync('umount', ['-l', path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}
