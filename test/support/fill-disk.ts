// Fills a small disk to its last block, by one file.

import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';

const SIZES = [1024 ** 2, 64 * 1024, 4096, 512];

export function fillDisk(hog: string): void {
  const file = openSync(hog, 'w');
  for (const size of SIZES) {
    for (let isFull = false; !isFull; ) {
      try {
        isFull = writeSync(file, Buffer.alloc(size)) < size;
      } catch {
        isFull = true;
      }
    }
  }
  closeSync(file);
}

export function freeDisk(hog: string): void {
  writeFileSync(hog, '');
}
