// A run reads one snapshot of a source's files: whatever happens at their paths meanwhile.

import { closeSync, openSync, renameSync, writeSync } from 'node:fs';
import { copyFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/core/index.ts';
import type { SourceSpec, UserFunction } from '../../src/definitions/index.ts';
import { openFacts } from '../../src/offline/facts/open-facts.ts';
import { pinFiles } from '../../src/offline/sources/files/pin-files.ts';
import { pinPath } from '../../src/offline/sources/pin-path.ts';
import { type PinnedSnapshot, readPinned } from '../../src/offline/sources/pinned-snapshot.ts';
import { auditTrainingSet } from '../../src/offline/index.ts';
import { NOTHING_COVERED } from '../../src/online/index.ts';
import { fields, oneView, sourceOf, TYPES, viewOf, worldOfEach, latest, windowed } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';

const COLUMNS = fields({ at: TYPES.timestamp, n: TYPES.int32 });
const isLinux = process.platform === 'linux';

const world = worldOfEach();

const rowsOf = (numbers: readonly number[]) => numbers.map((n): Row => ({ at: n, n }));
const write = (name: string, numbers: readonly number[]) => world.put(name, COLUMNS, rowsOf(numbers));
const source = sourceOf('s', 'a.parquet', COLUMNS);

async function withPins(
  paths: readonly string[],
  isHeld: boolean,
  use: (pinned: PinnedSnapshot) => Promise<void>,
  format: PinnedSnapshot['format'] = 'parquet',
) {
  const pinned = await pinFiles(paths.map(world.path), 'source "s"', { isHeld, format });
  try {
    await use(pinned);
  } finally {
    await pinned.close();
  }
}

async function read(snapshot: PinnedSnapshot, of: SourceSpec = source) {
  const request = { snapshot, boundary: Infinity, coverage: NOTHING_COVERED };
  const { relation } = await openFacts(world.connection, of, world.deps, request);
  return (await world.select(`SELECT n, __hr_row FROM ${relation} ORDER BY __hr_row`)).map(([n]) => n);
}

describe('a file that is held open', () => {
  it.runIf(isLinux)('is read as it was after another took its path, and after it was removed', async () => {
    await write('a.parquet', [1, 2]);
    await write('other.parquet', [3, 4]);
    await withPins(['a.parquet'], true, async (pinned) => {
      await rename(world.path('other.parquet'), world.path('a.parquet'));
      expect(await read(pinned)).toEqual([1, 2]);
      await rm(world.path('a.parquet'));
      expect(await read(pinned)).toEqual([1, 2]);
      await pinned.verify();
    });
  });

  it('is an error that names it once it was overwritten where it lies', async () => {
    await write('a.parquet', [1, 2]);
    await write('other.parquet', [3, 4]);
    await withPins(['a.parquet'], true, async (pinned) => {
      expect((await stat(world.path('other.parquet'))).size).toBe(pinned.files[0]?.size);
      await copyFile(world.path('other.parquet'), world.path('a.parquet'));
      const changed = (work: Promise<unknown>) => refused(work, 'HR_SOURCE_CHANGED', world.path('a.parquet'));
      await changed(pinned.verify());
      await changed(readPinned([pinned], 'work', async () => 'result'));
      await writeFile(world.path('a.parquet'), 'rubbish');
      await changed(readPinned([pinned], 'work', () => read(pinned)));
    });
  });

  it('is named in messages as the user knows it', async () => {
    await writeFile(world.path('a.parquet'), 'PAR1 this is no parquet file at all PAR1');
    await withPins(['a.parquet'], true, async (pinned) => {
      const { message } = await refused(read(pinned), 'HR_SOURCE_UNREADABLE');
      expect(message).not.toContain('/proc/');
      const reading = () => world.select(`FROM read_parquet('${pinned.paths[0] ?? ''}')`);
      await refused(readPinned([pinned], 'it cannot be read', reading), /./, world.path('a.parquet'));
    });
  });

  it('is not taken for another that was open under the same number before', async () => {
    const times = new Date(1_000_000_000_000);
    const paths: (string | undefined)[] = [];
    const both = [
      ['a.parquet', [1, 2]],
      ['b.parquet', [3, 4]],
    ] as const;
    for (const [name, numbers] of both) {
      await write(name, numbers);
      await utimes(world.path(name), times, times);
    }
    for (const [name, numbers] of both)
      await withPins([name], true, async (pinned) => {
        paths.push(pinned.paths[0]);
        expect(await read(pinned)).toEqual(numbers);
      });
    if (isLinux) expect(paths[0]).toBe(paths[1]);
  });

  it('is closed with the snapshot, also where a later one cannot be opened', async () => {
    await write('a.parquet', [1]);
    const handles = async () => (isLinux ? (await readdir('/proc/self/fd')).length : 0);
    const before = await handles();
    await withPins(['a.parquet'], true, async () => {});
    const pinning = pinFiles(['a.parquet', 'gone.parquet'].map(world.path), 'source "s"');
    await refused(pinning, 'HR_SOURCE_UNREADABLE', 'gone.parquet');
    expect(await handles()).toBe(before);
  });

  it('can be CSV, compressed or not', async () => {
    await writeFile(world.path('a.csv'), 'at,n\n1970-01-01,1\n1970-01-01,2\n');
    await writeFile(world.path('b.csv.gz'), gzipSync('n,at\n3,1970-01-01\n'));
    const csv = sourceOf('s', '', COLUMNS, { kind: 'csv' });
    for (const isHeld of [true, false]) {
      const expectRows = async (pinned: PinnedSnapshot) => expect(await read(pinned, csv)).toEqual([1, 2, 3]);
      await withPins(['a.csv', 'b.csv.gz'], isHeld, expectRows, 'csv');
    }
  });
});

describe('a file that is read by its path', () => {
  it.each(['replaced', 'removed', 'overwritten'] as const)('is an error that names it once it was %s', async (how) => {
    await write('a.parquet', [1, 2]);
    await write('other.parquet', [3, 4]);
    await withPins(['a.parquet'], false, async (pinned) => {
      expect(pinned.paths).toEqual([world.path('a.parquet')]);
      await pinned.verify();
      if (how === 'replaced') await rename(world.path('other.parquet'), world.path('a.parquet'));
      else if (how === 'overwritten') await copyFile(world.path('other.parquet'), world.path('a.parquet'));
      else await rm(world.path('a.parquet'));
      await refused(pinned.verify(), 'HR_SOURCE_CHANGED', world.path('a.parquet'));
    });
  });

  it('is so past some hundreds of files', async () => {
    await Promise.all(Array.from({ length: 501 }, (_, i) => writeFile(world.path(`many-${i}.parquet`), '')));
    const many = {
      path: 'many-*.parquet',
      directory: world.directory,
      format: 'parquet',
      owner: 'source "s"',
    } as const;
    const pinned = await pinPath(many, world.deps);
    expect(pinned.paths).toEqual(pinned.files.map(({ path }) => path));
    await pinned.close();
  });
});

describe('a training set whose source changes while it is made', () => {
  const ROWS = 1000;
  const FEATURES = fields({ v__last_n: TYPES.int32, v__rows: TYPES.int64 });

  // The event time comes from a user's function, so that something can happen in the middle of the first pass.
  async function make(inFirstPass: () => void) {
    const columns = fields({ k: TYPES.int32, at: TYPES.timestamp, n: TYPES.int32 });
    const rows = Array.from({ length: ROWS }, (_, i): Row => ({ k: i, at: 1_000_000, n: i }));
    await world.put('events.parquet', columns, rows);
    await world.put('other.parquet', columns, rows.toReversed());
    const spine = rows.map(({ k }): Row => ({ k: k ?? null, when: 2_000_000 }));
    let isFirst = true;
    const when: UserFunction = (row: { at: Date | null }) => {
      if (isFirst) inFirstPass();
      isFirst = false;
      return row.at;
    };
    const by = { kind: 'function', function: { id: 'when', hash: 'test' } } as const;
    const events = sourceOf('events', 'events.parquet', columns, {
      derive: [{ name: 'happened', type: TYPES.timestamp, by }],
      eventTime: 'happened',
    });
    const count = windowed('rows', TYPES.int64, 'count', null, 3_600_000_000, 60_000_000);
    const manifest = oneView(events, viewOf('v', 'e', 'events', ['k'], [latest('last_n', TYPES.int32, 'n'), count]));
    const deps = world.depsOf(manifest, { when });
    const record = await world.train(deps, [fields({ k: TYPES.int32, when: TYPES.timestamp }), spine]);
    return { record, deps };
  }

  it.runIf(isLinux)('is of the rows that were there at its start when the file is replaced', async () => {
    const { record, deps } = await make(() => renameSync(world.path('other.parquet'), world.path('events.parquet')));
    const got = await world.read(record.path, [...fields({ k: TYPES.int32 }), ...FEATURES]);
    expect(got.filter(({ k, v__last_n }) => k !== v__last_n)).toEqual([]);
    expect(got).toHaveLength(ROWS);
    await refused(auditTrainingSet(deps, record.id), 'HR_AUDIT_FAILED', 'events.parquet: the file was changed since');
  });

  it('is not made when the file is overwritten where it lies', async () => {
    const overwrite = () => {
      const file = openSync(world.path('events.parquet'), 'r+');
      writeSync(file, 'X', 0);
      closeSync(file);
    };
    await refused(make(overwrite), 'HR_SOURCE_CHANGED', world.path('events.parquet'));
    expect((await readdir(world.directory)).filter((name) => name.startsWith('out'))).toEqual([]);
  });
});
