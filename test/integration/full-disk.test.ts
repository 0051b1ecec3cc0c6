// A real small disk that fills up under the push log. Under the embedded store: lmdb-full-disk.test.ts.

import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { openPushLog, readPushLog } from '../../src/online/index.ts';
import { numbersSource as source } from '../support/numbers-source.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const disk = mountSmallDisk(8);
if (disk === undefined) skipBecause('a full disk: this user may not mount a small one');

describe.skipIf(disk === undefined)('on a full disk', () => {
  const path = disk?.path ?? '';
  afterAll(() => disk?.remove());

  it('a push is refused whole, and goes through once there is space', async () => {
    const folder = join(path, 'pushes');
    const log = openPushLog(folder, { clock: systemClock });
    const push = (n: number, size: number) =>
      log.append(source, { rows: [{ row: { n: BigInt(n), text: 'x'.repeat(size), at: n } }] });
    await push(1, 10);
    writeFileSync(join(path, 'hog'), Buffer.alloc(2 * 1024 ** 2));
    await expect(push(2, 6 * 1024 ** 2)).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
    writeFileSync(join(path, 'hog'), '');
    await push(3, 10);
    const numbers = (await Array.fromAsync(readPushLog(folder, source))).map(({ row }) => row['n']);
    expect(numbers).toEqual([1n, 3n]);
    await log.close();
    expect(statSync(folder).isDirectory()).toBe(true);
  });
});
