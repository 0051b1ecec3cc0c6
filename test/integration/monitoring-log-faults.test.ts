// The prediction log where things go wrong: what nobody can read, and full disks.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { useLogFolder, outcomeOf } from '../support/log-folder.ts';
import { appendRecord, experimentRoute } from '../support/prediction-records.ts';
import { refused } from '../support/refused.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const { path: folder, open, compact, ids, files, query } = useLogFolder();

describe('a part that can’t be read', () => {
  it('is set apart and counted, and what is around it is kept', async () => {
    const log = open();
    for (let i = 0; i < 10; i++) {
      appendRecord(log, `p${i}`);
      await log.flush();
    }
    await log.close();
    const [segment = ''] = files('.records');
    const bytes = readFileSync(join(folder(), segment));
    const at = bytes.indexOf('p4');
    bytes[at] = 0;
    writeFileSync(join(folder(), segment), bytes);
    const expected = ['p0', 'p1', 'p2', 'p3', 'p5', 'p6', 'p7', 'p8', 'p9'];
    expect(await ids()).toEqual(expected);
    expect(await compact()).toMatchObject({ segments: 1, rows: 9, damaged: 1 });
    expect(await ids()).toEqual(expected);
    const [part = ''] = files('.bytes');
    expect(basename(part)).toMatch(new RegExp(`^${basename(segment, '.records')}-\\d+\\.bytes$`));
    const kept = readFileSync(join(folder(), part));
    expect(bytes.includes(kept) && kept.includes('JFK')).toBe(true);
  });

  it('costs the records of a damaged schema only where none is kept of it', async () => {
    const damageSchema = (): void => {
      const [segment = ''] = files('.records');
      const bytes = readFileSync(join(folder(), segment));
      bytes[bytes.indexOf('"endpoint"')] = 0;
      writeFileSync(join(folder(), segment), bytes);
    };
    const write = async (id: string): Promise<void> => {
      const log = open();
      appendRecord(log, id);
      await log.close();
    };
    await write('a');
    damageSchema();
    expect(await compact()).toMatchObject({ rows: 0, damaged: 2 });
    await write('b');
    await compact();
    await write('c');
    damageSchema();
    expect(await compact()).toMatchObject({ rows: 1, damaged: 1 });
    expect(await ids()).toEqual(['b', 'c']);
  });

  it('is no segment at all', async () => {
    mkdirSync(join(folder(), 'segments', '0123456789ab'), { recursive: true });
    writeFileSync(join(folder(), 'segments', '0123456789ab', 'x.records'), 'something else entirely');
    writeFileSync(join(folder(), 'segments', '0123456789ab', 'y.records'), '');
    expect(await ids()).toEqual([]);
    expect(await compact()).toMatchObject({ segments: 2, rows: 0, damaged: 1 });
    expect(readFileSync(join(folder(), files('.bytes')[0] ?? ''), 'utf8')).toBe('something else entirely');
  });
});

const disk = mountSmallDisk(8);
if (disk === undefined) skipBecause('a prediction log on a full disk: this user may not mount a small one');

describe.skipIf(disk === undefined)('on a full disk', () => {
  const root = disk?.path ?? '';
  afterAll(() => disk?.remove());

  it('counts what is not kept, refuses outcomes, and goes on when there is room', async () => {
    const directory = join(root, 'log');
    const log = open({ directory });
    appendRecord(log, 'first');
    await log.flush();
    let appended = 1;
    const fill = (count: number): void => {
      for (let i = 0; i < count; i++) {
        const unit = 'x'.repeat(10_000);
        const changes = { unit: [unit], route: experimentRoute, experimentUnit: `unit-${appended}` };
        if (appendRecord(log, `p${appended}`, changes)) appended++;
      }
    };
    const exposed = (): Promise<unknown[][]> =>
      query("SELECT count(DISTINCT experiment_unit)::INTEGER FROM predictions WHERE via = 'experiment'", { directory });
    fill(200);
    await log.flush();
    fill(2000);
    await refused(log.flush(), 'HR_STORAGE_FULL');
    const { written, dropped, queued } = log.counters();
    expect({ sum: written + dropped.disk, queued }).toEqual({ sum: appended, queued: 0 });
    expect(written).toBeGreaterThanOrEqual(201);
    expect(await ids({ directory })).toHaveLength(written);
    expect(await exposed()).toEqual([[written - 1]]);
    writeFileSync(join(root, 'hog'), Buffer.alloc(1));
    for (let size = 4 * 1024 ** 2; size >= 4096; size >>= 1) {
      try {
        writeFileSync(join(root, 'hog'), Buffer.alloc(size), { flag: 'a' });
      } catch {
        // Smaller, then.
      }
    }
    const outcomes = Array.from({ length: 1000 }, (_, i) => outcomeOf(`p${i}`, 1));
    await refused(log.recordOutcomes(outcomes), 'HR_STORAGE_FULL');
    expect(log.counters()).toMatchObject({ written, queued: 0 });
    rmSync(join(root, 'hog'));
    appendRecord(log, 'again');
    await log.recordOutcomes(outcomes);
    expect(log.counters()).toMatchObject({ written: written + 1001, queued: 0 });
    expect(await ids({ directory })).toHaveLength(written + 1);
    await log.close();
    expect(existsSync(join(directory, 'segments'))).toBe(true);
  });
});
