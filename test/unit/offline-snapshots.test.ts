// A run reads one snapshot of a source's files: whatever happens at their paths meanwhile.

import { closeSync, openSync, renameSync, writeSync } from 'node:fs';
import { copyFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Row } from '../../src/core/index.ts';
import type { SourceSpec, UserFunction } from '../../src/definitions/index.ts';
import { openFacts } from '../../src/offline/facts/open-facts.ts';
import { pinFiles } from '../../src/offline/sources/files/pin-files.ts';
import { pinPath } from '../../src/offline/sources/pin-path.ts';
import { type PinnedSnapshot, readPinned } from '../../src/offline/sources/pinned-snapshot.ts';
import { auditTrainingSet, createTrainingSet } from '../../src/offline/index.ts';
import { NOTHING_COVERED } from '../../src/online/index.ts';
import {
  definitionsOf,
  fields,
  type OfflineWorld,
  oneView,
  openOfflineWorld,
  readParquet,
  sourceOf,
  TYPES,
  viewOf,
  writeParquet,
} from '../support/offline-world.ts';

const COLUMNS = fields({ at: TYPES.timestamp, n: TYPES.int32 });
const isLinux = process.platform === 'linux';

let world: OfflineWorld;
beforeEach(async () => {
  world = await openOfflineWorld();
});
afterEach(() => world.close());

const inFolder = (name: string) => join(world.directory, name);
const write = (name: string, numbers: readonly number[]) =>
  writeParquet(
    world.connection,
    inFolder(name),
    COLUMNS,
    numbers.map((n): Row => ({ at: n, n })),
  );
const source = sourceOf('s', 'a.parquet', COLUMNS);

async function withPins(
  paths: readonly string[],
  isHeld: boolean,
  use: (pinned: PinnedSnapshot) => Promise<void>,
  format: PinnedSnapshot['format'] = 'parquet',
) {
  const pinned = await pinFiles(paths.map(inFolder), 'source "s"', { isHeld, format });
  try {
    await use(pinned);
  } finally {
    await pinned.close();
  }
}

async function read(snapshot: PinnedSnapshot, of: SourceSpec = source) {
  const request = { snapshot, boundary: Infinity, coverage: NOTHING_COVERED };
  const { relation } = await openFacts(world.connection, of, world.deps, request);
  const result = await world.connection.runAndReadAll(`SELECT n, __hr_row FROM ${relation} ORDER BY __hr_row`);
  return result.getRows().map(([n]) => n);
}

describe('a file that is held open', () => {
  it.runIf(isLinux)('is read as it was after another took its path, and after it was removed', async () => {
    await write('a.parquet', [1, 2]);
    await write('other.parquet', [3, 4]);
    await withPins(['a.parquet'], true, async (pinned) => {
      await rename(inFolder('other.parquet'), inFolder('a.parquet'));
      expect(await read(pinned)).toEqual([1, 2]);
      await rm(inFolder('a.parquet'));
      expect(await read(pinned)).toEqual([1, 2]);
      await pinned.verify();
    });
  });

  it('is an error that names it once it was overwritten where it lies', async () => {
    await write('a.parquet', [1, 2]);
    await write('other.parquet', [3, 4]);
    await withPins(['a.parquet'], true, async (pinned) => {
      expect((await stat(inFolder('other.parquet'))).size).toBe(pinned.files[0]?.size);
      await copyFile(inFolder('other.parquet'), inFolder('a.parquet'));
      const error = { code: 'HR_SOURCE_CHANGED', message: expect.stringContaining(inFolder('a.parquet')) };
      await expect(pinned.verify()).rejects.toMatchObject(error);
      await expect(readPinned([pinned], 'work', async () => 'result')).rejects.toMatchObject(error);
      await writeFile(inFolder('a.parquet'), 'rubbish');
      await expect(readPinned([pinned], 'work', () => read(pinned))).rejects.toMatchObject(error);
    });
  });

  it('is named in messages as the user knows it', async () => {
    await writeFile(inFolder('a.parquet'), 'PAR1 this is no parquet file at all PAR1');
    await withPins(['a.parquet'], true, async (pinned) => {
      await expect(read(pinned)).rejects.toMatchObject({
        code: 'HR_SOURCE_UNREADABLE',
        message: expect.not.stringContaining('/proc/'),
      });
      await expect(
        readPinned([pinned], 'it cannot be read', () =>
          world.connection.run(`FROM read_parquet('${pinned.paths[0] ?? ''}')`),
        ),
      ).rejects.toMatchObject({ message: expect.stringContaining(inFolder('a.parquet')) });
    });
  });

  it('is not taken for another that was open under the same number before', async () => {
    const times = new Date(1_000_000_000_000);
    for (const [name, numbers] of [
      ['a.parquet', [1, 2]],
      ['b.parquet', [3, 4]],
    ] as const) {
      await write(name, numbers);
      await utimes(inFolder(name), times, times);
    }
    const paths: (string | undefined)[] = [];
    for (const [name, numbers] of [
      ['a.parquet', [1, 2]],
      ['b.parquet', [3, 4]],
    ] as const) {
      await withPins([name], true, async (pinned) => {
        paths.push(pinned.paths[0]);
        expect(await read(pinned)).toEqual(numbers);
      });
    }
    if (isLinux) expect(paths[0]).toBe(paths[1]);
  });

  it('is closed with the snapshot, also where a later one cannot be opened', async () => {
    await write('a.parquet', [1]);
    const handles = async () => (isLinux ? (await readdir('/proc/self/fd')).length : 0);
    const before = await handles();
    await withPins(['a.parquet'], true, async () => {});
    await expect(pinFiles(['a.parquet', 'gone.parquet'].map(inFolder), 'source "s"')).rejects.toMatchObject({
      code: 'HR_SOURCE_UNREADABLE',
      message: expect.stringContaining('gone.parquet'),
    });
    expect(await handles()).toBe(before);
  });

  it('can be CSV, compressed or not', async () => {
    await writeFile(inFolder('a.csv'), 'at,n\n1970-01-01,1\n1970-01-01,2\n');
    await writeFile(inFolder('b.csv.gz'), gzipSync('n,at\n3,1970-01-01\n'));
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
      expect(pinned.paths).toEqual([inFolder('a.parquet')]);
      await pinned.verify();
      if (how === 'replaced') await rename(inFolder('other.parquet'), inFolder('a.parquet'));
      else if (how === 'overwritten') await copyFile(inFolder('other.parquet'), inFolder('a.parquet'));
      else await rm(inFolder('a.parquet'));
      await expect(pinned.verify()).rejects.toMatchObject({
        code: 'HR_SOURCE_CHANGED',
        message: expect.stringContaining(inFolder('a.parquet')),
      });
    });
  });

  it('is so past some hundreds of files', async () => {
    await Promise.all(Array.from({ length: 501 }, (_, i) => writeFile(inFolder(`many-${i}.parquet`), '')));
    const pinned = await pinPath(
      { path: 'many-*.parquet', directory: world.directory, format: 'parquet', owner: 'source "s"' },
      world.deps,
    );
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
    await writeParquet(world.connection, inFolder('events.parquet'), columns, rows);
    await writeParquet(world.connection, inFolder('other.parquet'), columns, rows.toReversed());
    const spine = rows.map(({ k }): Row => ({ k: k ?? null, when: 2_000_000 }));
    await writeParquet(
      world.connection,
      inFolder('spine.parquet'),
      fields({ k: TYPES.int32, when: TYPES.timestamp }),
      spine,
    );
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
    const window = { windowMicros: 3_600_000_000, hopMicros: 60_000_000 };
    const view = viewOf(
      'v',
      'e',
      'events',
      ['k'],
      [
        { name: 'last_n', type: TYPES.int32, aggregation: { op: 'latest', column: 'n' } },
        { name: 'rows', type: TYPES.int64, aggregation: { op: 'count', column: null, ...window } },
      ],
    );
    const manifest = oneView(events, view);
    const deps = { ...world.deps, definitions: definitionsOf(manifest, world.directory, { when }) };
    const record = await createTrainingSet(deps, {
      service: 's',
      spine: inFolder('spine.parquet'),
      timestamp: 'when',
      labels: [],
      boundary: 'at',
      out: inFolder('out.parquet'),
    });
    return { record, deps };
  }

  it.runIf(isLinux)('is of the rows that were there at its start when the file is replaced', async () => {
    const { record, deps } = await make(() => renameSync(inFolder('other.parquet'), inFolder('events.parquet')));
    const got = await readParquet(world.connection, record.path, [...fields({ k: TYPES.int32 }), ...FEATURES]);
    expect(got.filter(({ k, v__last_n }) => k !== v__last_n)).toEqual([]);
    expect(got).toHaveLength(ROWS);
    await expect(auditTrainingSet(deps, record.id)).rejects.toMatchObject({
      code: 'HR_AUDIT_FAILED',
      message: expect.stringContaining('events.parquet: the file was changed since'),
    });
  });

  it('is not made when the file is overwritten where it lies', async () => {
    const overwrite = () => {
      const file = openSync(inFolder('events.parquet'), 'r+');
      writeSync(file, 'X', 0);
      closeSync(file);
    };
    await expect(make(overwrite)).rejects.toMatchObject({
      code: 'HR_SOURCE_CHANGED',
      message: expect.stringContaining(inFolder('events.parquet')),
    });
    expect((await readdir(world.directory)).filter((name) => name.startsWith('out'))).toEqual([]);
  });
});
