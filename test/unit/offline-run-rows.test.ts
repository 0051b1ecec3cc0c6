// What the registry keeps of runs, and what the next run reads of it: no more after many incremental runs than after few.

import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MICROS_PER_HOUR } from '../../src/core/index.ts';
import { type OnlineStore, openOnlineStore } from '../../src/online/index.ts';
import { type CountedReads, countReads } from '../support/counted-reads.ts';
import { fields, openOfflineWorld, type OfflineWorld, TYPES } from '../support/offline-world.ts';
import { materializeView, oneView } from '../support/one-view.ts';

const FILES = 50;
const RUNS = 5;
/** One file more than the run before had, and what the run was. */
const KILOBYTES_PER_RUN = 4;
const START = 1_700_000_000_000_000;

describe('incremental runs of a source of many files', () => {
  let world: OfflineWorld;
  let store: OnlineStore;
  let counted: CountedReads;
  let now = START;
  const clock = { nowMicros: () => now };
  const states: (string | undefined)[] = [];
  /** After one incremental run, and after many: what a run reads that finds nothing new, and how large the registry is. */
  let [early, late] = [
    { read: 0, kilobytes: 0 },
    { read: 0, kilobytes: 0 },
  ];

  beforeAll(async () => {
    world = await openOfflineWorld();
    store = await openOnlineStore(`lmdb:${world.path('online')}`, { project: 'test', clock });
    counted = countReads(world.deps.database);
    const columns = fields({ key: TYPES.string, at: TYPES.timestamp, v: TYPES.float64 });
    const file = (i: number): string =>
      join(world.directory, `part-0a1b2c3d-4e5f-${String(i).padStart(12, '0')}.parquet`);
    await world.put(file(0), columns, [{ key: 'k', at: START - MICROS_PER_HOUR, v: 1 }]);
    let files = 1;
    const addFile = (): Promise<void> => copyFile(file(0), file(files++));
    while (files < FILES) await addFile();
    const manifest = oneView(world.path('part-*.parquet'), columns);
    const deps = { ...world.deps, database: counted.database };
    const run = async (): Promise<void> => {
      now += MICROS_PER_HOUR;
      states.push(await materializeView({ ...world, deps }, manifest, store, clock));
    };
    const measure = async () => {
      const kilobytes = registryKilobytes(world.path('registry.db'));
      return { read: await counted.during(run), kilobytes };
    };
    await run();
    await addFile();
    await run();
    early = await measure();
    for (let i = 0; i < RUNS; i++) {
      await addFile();
      await run();
    }
    late = await measure();
  });
  afterAll(async () => {
    await store.close();
    await world.close();
  });

  it('do what they should', () => {
    const many = Array.from({ length: RUNS }, () => 'finished');
    expect(states).toEqual(['finished', 'finished', 'up-to-date', ...many, 'up-to-date']);
    expect(early.read).toBeGreaterThan(0);
  });

  it('each leave kilobytes in the registry (datapath/R1)', () => {
    expect(late.kilobytes - early.kilobytes).toBeLessThan(RUNS * KILOBYTES_PER_RUN);
  });

  it('read as much of it after many runs as after few (datapath/R1)', () => {
    expect(late.read / early.read).toBeLessThan(2);
  });
});

function registryKilobytes(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true });
  const size = 'SELECT page_count * page_size / 1024 AS kilobytes FROM pragma_page_count, pragma_page_size';
  const { kilobytes } = database.prepare(size).get() as { kilobytes: number };
  database.close();
  return kilobytes;
}
