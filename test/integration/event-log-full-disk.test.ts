// A real small disk that fills up under the event log.

import { statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LogWriter } from '../../src/events/index.ts';
import { eventLogWorld, numbersOf } from '../support/event-logs.ts';
import { numbersSource as source } from '../support/numbers-source.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const disk = mountSmallDisk(8);
if (disk === undefined) skipBecause('an event log on a full disk: this user may not mount a small one');

describe.skipIf(disk === undefined)('an event log on a full disk', () => {
  const root = disk?.path ?? '';
  afterAll(() => disk?.remove());
  const push = (writer: LogWriter, n: number, size = 10) =>
    writer.append({ source, rows: [{ row: { n: BigInt(n), text: 'x'.repeat(size), at: n }, knownMicros: n }] });
  const numbers = async (writer: LogWriter): Promise<number[]> =>
    numbersOf(await Array.fromAsync(writer.entries(1, writer.cut)));
  const FULL = { code: 'HR_STORAGE_FULL' };

  it('refuses a push whole, with all that was called after it, and goes on when there is space', async () => {
    const world = await eventLogWorld();
    const path = join(root, 'log');
    const log = await world.open({ path });
    const writer = await log.register();
    await writer.openCut(new Map());
    await push(writer, 1);
    writeFileSync(join(root, 'hog'), Buffer.alloc(5 * 1024 ** 2));
    const before = statfsSync(root).bfree;
    const calls: Promise<unknown>[] = [push(writer, 2, 6 * 1024 ** 2), writer.openCut(new Map())];
    // By now these are being written: what comes next waits behind them, in a cut whose mark is about to fail.
    await Promise.resolve();
    calls.push(push(writer, 3));
    const failed = await Promise.allSettled(calls);
    for (const result of failed) expect(result).toMatchObject({ status: 'rejected', reason: FULL });
    // The mark was not kept either: the old cut is open still.
    expect(writer.cut).toBe(1);
    expect(statfsSync(root).bfree).toBeGreaterThanOrEqual(before - 2);
    expect((await push(writer, 4)).cut).toBe(1);
    await expect(push(writer, 5, 6 * 1024 ** 2)).rejects.toMatchObject(FULL);
    writeFileSync(join(root, 'hog'), '');
    await push(writer, 6, 1024 ** 2);
    expect(await writer.openCut(new Map())).toBe(2);
    await push(writer, 7);
    expect(await numbers(writer)).toEqual([1, 4, 6, 7]);
    await writer.close();
    const [next] = (await log.adopt()) as [LogWriter];
    expect(await numbers(next)).toEqual([1, 4, 6, 7]);
    await next.seal(1, []);
    await next.seal(2, []);
    await next.ship();
    expect(numbersOf(await Array.fromAsync(log.read(1, 1, 2)))).toEqual([1, 4, 6, 7]);
    await world.remove();
  });

  it('also when not even a new segment can be begun', async () => {
    const world = await eventLogWorld();
    const log = await world.open({ path: join(root, 'other') });
    const writer = await log.register();
    await writer.openCut(new Map());
    await push(writer, 1);
    // All of it, to the last block.
    for (let size = 4 * 1024 ** 2; size >= 1; size = Math.floor(size / 2)) {
      try {
        writeFileSync(join(root, 'hog'), Buffer.alloc(size), { flag: 'a' });
      } catch {
        // Smaller, then.
      }
    }
    // The first fails in the segment that is there, the others where a new one is begun.
    for (let n = 2; n < 6; n++) await expect(push(writer, n, 5000)).rejects.toMatchObject(FULL);
    writeFileSync(join(root, 'hog'), '');
    await push(writer, 6);
    await writer.close();
    const [next] = (await log.adopt()) as [LogWriter];
    expect(await numbers(next)).toEqual([1, 6]);
    await world.remove();
  });
});
