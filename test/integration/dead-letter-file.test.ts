// A file of dead letters on a disk that is full for a while: what was written half is no letter, and the next are whole.

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DeadLetter, openDeadLetterFile } from '../../src/streams/index.ts';
import { fillDisk } from '../support/fill-disk.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { skipBecause } from '../support/skips.ts';

const disk = mountSmallDisk(1);
if (disk === undefined) skipBecause('dead letters on a full disk: this user may not mount one');

const letter = (offset: number): DeadLetter => ({
  partition: 0,
  message: { offset, timestampMs: 0, key: null, value: Buffer.alloc(3000, 'x'), headers: [] },
  reason: 'it is no row',
});
const offsetsIn = (path: string): number[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [(JSON.parse(line) as { offset: number }).offset];
      } catch {
        return [];
      }
    });

describe.skipIf(disk === undefined)('dead letters on a disk that is full', () => {
  it('are all there once it is not, whatever was written half', async () => {
    const { path: folder, remove } = disk as NonNullable<typeof disk>;
    try {
      const path = join(folder, 'letters.jsonl');
      const letters = openDeadLetterFile(path, 'topic');
      await letters.put([letter(0)]);
      const ballast = join(folder, 'ballast');
      // What is left of the file's own last block holds a part of the next letter.
      fillDisk(ballast);
      const more = Array.from({ length: 20 }, (_, i) => letter(1 + i));
      await expect(letters.put(more)).rejects.toMatchObject({ code: 'HR_DEAD_LETTERS' });
      rmSync(ballast);
      await letters.put(more);
      expect(new Set(offsetsIn(path))).toEqual(new Set(Array.from({ length: 21 }, (_, i) => i)));
    } finally {
      remove();
    }
  });
});
