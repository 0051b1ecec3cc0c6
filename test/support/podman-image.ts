// What an image is made of here: one static program under several names, no registry.

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

const PROGRAMS = ['sh', 'cat', 'echo', 'sleep', 'env', 'head', 'id'];

/** Makes the root folder of an image. */
export function podmanImageRoot(root: string): void {
  for (const folder of ['bin', 'tmp', 'etc']) mkdirSync(join(root, folder), { recursive: true });
  const busybox = execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim();
  copyFileSync(busybox, join(root, 'bin/busybox'));
  for (const name of PROGRAMS) symlinkSync('busybox', join(root, 'bin', name));
}
