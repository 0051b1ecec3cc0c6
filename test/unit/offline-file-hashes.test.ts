// The SHA-256 of files are kept: a large file is read once, by whatever path, until it changes.

import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { fileHash, inputFiles, openFileHashes, readSetInputs, writeFeatureFile } from '../../src/offline/index.ts';
import { folderOfTest } from '../support/new-folder.ts';
import { refused } from '../support/refused.ts';
import { fields, openOfflineWorld, TYPES } from '../support/offline-world.ts';
import { oneView } from '../support/one-view.ts';

/** A clock an hour ahead: what was just written counts as written long ago. */
const later = { nowMicros: () => (Date.now() + 3_600_000) * 1000 };
const shaOf = (text: string): string => createHash('sha256').update(text).digest('hex');

function openCounted(clock = later) {
  const folder = folderOfTest();
  const path = join(folder, 'a.parquet');
  const read: string[] = [];
  const hash = async (file: string) => {
    read.push(file);
    return await fileHash(file);
  };
  const openTable = () => openFileHashes(join(folder, 'offline'), clock, hash);
  /** Saves after each file. */
  const open = () => {
    const hashes = openTable();
    const hashOf = async (file: string) => {
      const sha256 = await hashes.hashOf(file);
      await hashes.save();
      return sha256;
    };
    return { hashOf };
  };
  return { folder, path, read, openTable, open };
}

it('a file of 300 MB is read once, by later processes and other names, too', async () => {
  const { folder, path, read, open } = openCounted();
  writeFileSync(path, 'x');
  truncateSync(path, 300_000_000);
  const sha256 = await open().hashOf(path);
  expect(await open().hashOf(path)).toBe(sha256);
  renameSync(path, join(folder, 'b.parquet'));
  // A rename changes the inode's time, which may be that of a file that was copied over.
  const moved = open();
  expect(await moved.hashOf(join(folder, 'b.parquet'))).toBe(sha256);
  expect(await moved.hashOf(join(folder, 'b.parquet'))).toBe(sha256);
  expect(read.length).toBeLessThanOrEqual(2);
  linkSync(join(folder, 'b.parquet'), join(folder, 'c.parquet'));
  const before = read.length;
  const linked = open();
  for (const name of ['b.parquet', 'c.parquet', 'b.parquet'])
    expect(await linked.hashOf(join(folder, name))).toBe(sha256);
  expect(read.length - before).toBeLessThanOrEqual(1);
});

it('one that was written is read again, though its size and the time of its content are as before', async () => {
  const { path, open } = openCounted();
  writeFileSync(path, 'one');
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  expect(await open().hashOf(path)).toBe(shaOf('one'));
  writeFileSync(path, 'two');
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  expect(await open().hashOf(path)).toBe(shaOf('two'));
});

it('one that was written just now is not kept: it may be written again in the same tick of a clock', async () => {
  const { path, read, open } = openCounted({ nowMicros: () => Date.now() * 1000 });
  writeFileSync(path, 'one');
  for (const hashes of [open(), open()]) expect(await hashes.hashOf(path)).toBe(shaOf('one'));
  expect(read).toHaveLength(2);
});

it('one that was written just before a long read is not kept: it may have been written again in that tick', async () => {
  const folder = folderOfTest();
  const path = join(folder, 'a.parquet');
  writeFileSync(path, 'one');
  let now = Date.now() * 1000;
  let reads = 0;
  for (let turn = 0; turn < 2; turn++) {
    const hashes = openFileHashes(folder, { nowMicros: () => now }, async (file) => {
      reads++;
      now += 3_000_000;
      return await fileHash(file);
    });
    await hashes.hashOf(path);
    await hashes.save();
    now -= 3_000_000;
  }
  expect(reads).toBe(2);
});

it('the table is written once for any number of files, beside what others wrote meanwhile', async () => {
  const { folder, read, openTable } = openCounted();
  const table = join(folder, 'offline/file-hashes.json');
  const paths = ['a', 'b', 'c'].map((name) => join(folder, name));
  for (const path of paths) writeFileSync(path, path);
  const [one, other] = [openTable(), openTable()];
  await one.hashOf(paths[0] as string);
  await one.hashOf(paths[1] as string);
  await other.hashOf(paths[2] as string);
  expect(existsSync(table)).toBe(false);
  await other.save();
  await one.save();
  const again = openTable();
  for (const path of paths) expect(await again.hashOf(path)).toBe(shaOf(path));
  expect(read).toEqual(paths);
  const { ino } = statSync(table);
  await again.save();
  expect(statSync(table).ino).toBe(ino);
});

it('one that changes while it is read is refused', async () => {
  const { folder, path } = openCounted();
  writeFileSync(path, 'one');
  const hashes = openFileHashes(folder, later, async (file) => {
    writeFileSync(file, 'more');
    return await fileHash(file);
  });
  await expect(hashes.hashOf(path)).rejects.toThrow(/a\.parquet was written while it was read\. Run this again/);
});

it('a table that was cut off is made anew', async () => {
  const { folder, path, open } = openCounted();
  writeFileSync(path, 'one');
  await open().hashOf(path);
  writeFileSync(join(folder, 'offline/file-hashes.json'), '{"format":1,"fi');
  expect(await open().hashOf(path)).toBe(shaOf('one'));
});

it('a training set looks its files up in the same table as a cached step', async () => {
  const world = await openOfflineWorld();
  onTestFinished(() => world.close());
  const columns = fields({ key: TYPES.string, at: TYPES.timestamp, value: TYPES.float64 });
  await world.put('events.parquet', columns, [{ key: 'x', at: 1, value: 3 }]);
  const asked = fields({ id: TYPES.string, when: TYPES.timestamp });
  const spine = await world.put('spine.parquet', asked, [{ id: 'x', when: 2 }]);
  const deps = { ...world.depsOf(oneView('events.parquet', columns)), clock: { ...world.deps.clock, ...later } };
  const table = join(deps.dataDirectory, 'file-hashes.json');
  const read = () => (JSON.parse(readFileSync(table, 'utf8')) as { files: Record<string, string> }).files;
  const first = await world.train(deps, spine);
  expect(Object.values(read())).toContain(first.sources[0]?.files[0]?.sha256);
  expect(Object.values(read())).toHaveLength(2);
  // Whatever the table says is taken: the files are not read again.
  const planted = Object.fromEntries(Object.keys(read()).map((name, at) => [name, `${at}`.repeat(64)]));
  writeFileSync(table, JSON.stringify({ format: 1, files: planted }));
  const second = await world.train(deps, spine);
  expect(Object.values(planted)).toContain(second.sources[0]?.files[0]?.sha256);
  const { reads } = await readSetInputs(deps, { service: 's', spine, labels: [], boundary: 'at' });
  expect(reads['source.events.files']).toEqual([second.sources[0]?.files[0]?.sha256]);
  // So does each slice of a step that predicts.
  const input = { path: 'spine.parquet', directory: dirname(spine) };
  const out = join(dirname(spine), 'batch.parquet');
  const batch = {
    service: 's',
    input,
    timestamp: 'when',
    boundary: 'at',
    badRows: 'fail',
    out,
    check: () => {},
  } as const;
  const { inputs } = await writeFeatureFile(deps, batch);
  expect(Object.values(planted)).toContain(inputs[0]?.sha256);
  expect((await inputFiles(input, deps)).map(({ sha256 }) => sha256)).toEqual([inputs[0]?.sha256]);
  // A query as the spine that can't be run is the spine's error, as where the set is made.
  const asks = { service: 's', spine: "SELECT nothing FROM 'spine.parquet'", directory: dirname(spine), labels: [] };
  await refused(readSetInputs(deps, { ...asks, boundary: 'at' }), 'HR_SPINE', 'the spine SELECT nothing');
});

it.each([
  ['renamed', "SELECT 'x' AS id, 5 AS stay, 7 AS left", "SELECT 'x' AS id, 5 AS left, 7 AS stay"],
  ['of another type', "SELECT 'x' AS id, 5::BIGINT AS stay", "SELECT 'x' AS id, make_timestamp(5) AS stay"],
])('the same rows of a query under columns that are %s are another spine to a cached step', async (_, one, other) => {
  const world = await openOfflineWorld();
  onTestFinished(() => world.close());
  const columns = fields({ key: TYPES.string, at: TYPES.timestamp, value: TYPES.float64 });
  await world.put('events.parquet', columns, [{ key: 'x', at: 1, value: 3 }]);
  const deps = world.depsOf(oneView('events.parquet', columns));
  // The query's text stays, and what it reads is written anew.
  const spineOf = async (query: string) => {
    await world.select(`COPY (${query}) TO '${world.path('asked.parquet')}' (FORMAT parquet)`);
    const spine = "SELECT *, TIMESTAMP '2024-01-01' AS at FROM 'asked.parquet'";
    const asks = { service: 's', spine, directory: world.directory, labels: [], boundary: 'at' } as const;
    return (await readSetInputs(deps, asks)).reads['spine'];
  };
  const first = await spineOf(one);
  expect(await spineOf(other)).not.toEqual(first);
  expect(await spineOf(one)).toEqual(first);
});
