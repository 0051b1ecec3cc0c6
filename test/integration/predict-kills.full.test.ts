// A batch that is killed at any moment and asked for again gives what an undisturbed one gives. And a disk that fills.
// twin: test/integration/predict.test.ts > a batch that breaks off

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fillDisk, freeDisk } from '../support/fill-disk.ts';
import { createPredictProject, inputSql, partsOf, readRows, writeRows } from '../support/predict-project.ts';
import { headrace, headraceJson, MAIN, type Project } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const END_MS = Date.UTC(2026, 10, 1);
const ROWS = 60_000;

let project: Project;
beforeAll(async () => {
  project = await createPredictProject(END_MS);
  await writeRows(project.file('in.parquet'), inputSql(ROWS, END_MS));
}, 120_000);
afterAll(() => project?.remove());

const lineFor = (out: string) => ['predict', 'shops', '--input', 'in.parquet', '--timestamp', 'at', '--out', out];
const rowsOf = (folder: string) => readRows(`SELECT id, probability FROM ${partsOf(folder)}`);

function start(out: string): { readonly child: ChildProcess; readonly ended: Promise<number | null> } {
  const child = spawn(process.execPath, [MAIN, ...lineFor(out)], { cwd: project.directory, stdio: 'ignore' });
  return { child, ended: new Promise((resolve) => child.once('exit', (code) => resolve(code))) };
}

const partsIn = (out: string): readonly string[] =>
  existsSync(out) ? readdirSync(out).filter((name) => name.startsWith('part-')) : [];

it('a batch that is killed goes on where it was, and comes out as one that nobody disturbed', async () => {
  headraceJson(project, lineFor('undisturbed'));
  const out = project.file('killed');
  // In its features, at its first part, and then wherever chance says.
  const moments = [
    () => existsSync(join(out, '_work')),
    () => existsSync(join(out, '_job.json')),
    ...Array.from({ length: 5 }, () => {
      const dueMs = 300 + Math.random() * 400;
      let sinceMs: number | undefined;
      return () => existsSync(join(out, '_job.json')) && performance.now() - (sinceMs ??= performance.now()) > dueMs;
    }),
  ];
  let killed = 0;
  const standing: number[] = [];
  for (const isDue of moments) {
    const { child, ended } = start(out);
    let isOver = false;
    void ended.then(() => (isOver = true));
    while (!isOver && !isDue()) await delay(2);
    child.kill('SIGKILL');
    if ((await ended) === null) killed++;
    standing.push(partsIn(out).length);
  }
  expect(killed).toBeGreaterThanOrEqual(2);
  // What was there stays there.
  expect(standing).toEqual(standing.toSorted((a, b) => a - b));
  const result = headraceJson(project, lineFor('killed')) as { rows: number; parts: readonly { rows: number }[] };
  expect(result.rows).toBe(ROWS);
  expect(result.parts.reduce((sum, { rows }) => sum + rows, 0)).toBe(ROWS);
  const rows = await rowsOf(out);
  expect(rows.length).toBe(ROWS);
  expect(new Set(rows.map(({ id }) => id)).size).toBe(ROWS);
  expect(rows).toEqual(await rowsOf(project.file('undisturbed')));
  expect(readdirSync(out).filter((name) => !name.startsWith('part-'))).toEqual(['_manifest.json']);
}, 300_000);

it('past the largest file that it may write it says that, and leaves no part', () => {
  const line = [MAIN, ...lineFor('limited')];
  const limited = ['-c', 'ulimit -f 100; exec "$0" "$@"', process.execPath, ...line];
  const { status, stderr } = spawnSync('bash', limited, { cwd: project.directory, encoding: 'utf8', timeout: 60_000 });
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/HR_STORAGE_FULL.*ulimit -f/) });
  expect(partsIn(project.file('limited'))).toEqual([]);
}, 90_000);

const disk = mountSmallDisk(24);
if (disk === undefined) skipBecause('a batch on a full disk: this user may not mount a small one');

afterAll(() => disk?.remove());
it.skipIf(disk === undefined)(
  'on a disk that fills it says so, keeps its parts, and goes on once there is space',
  async () => {
    const path = disk?.path ?? '';
    const out = join(path, 'out');
    mkdirSync(out);
    const { child, ended } = start(out);
    while (partsIn(out).length < 2 && child.exitCode === null) await delay(1);
    fillDisk(join(path, 'hog'));
    expect(await ended).not.toBe(0);
    const left = partsIn(out).length;
    expect(left).toBeLessThan(8);
    const refused = headrace(project, [...lineFor(out), '--json']);
    expect(refused.stderr).toMatch(/HR_STORAGE_FULL.*(Free space)/s);
    freeDisk(join(path, 'hog'));
    const result = headraceJson(project, lineFor(out)) as { resumed: number };
    expect(result.resumed).toBeGreaterThanOrEqual(left);
    expect((await rowsOf(out)).length).toBe(ROWS);
  },
  120_000,
);
