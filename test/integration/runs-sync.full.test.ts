// Runs that a loop of a shell drives, by processes of `headrace step` and `headrace runs sync`; and syncs that are killed.
// twin: test/contract/runs-sync.test.ts > has the same rows in whatever parts its results came, and wherever the store was away
// twin: test/contract/runs-sync.test.ts > has the same rows where many make them at once, each event once

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { type SyncedRun, syncRun } from '../../src/orchestrator/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { put, rowsByResults, storeRun, syncDeps } from '../support/elsewhere-world.ts';
import { removeProject, writeRepository } from '../support/pipeline-project.ts';
import { plainStep } from '../support/plain-step.ts';
import { miscounts, rowsOf } from '../support/run-rows.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

const PIPELINE = `
  import { pipeline, shell, task, t } from 'headrace';
  const p = pipeline('grid', { params: { to: t.int64().default(3n) } });
  const list = p.step('list', task((_n, { params }) => Array.from({ length: Number(params.to) }, (_, at) => at)));
  const square = p.step('square', task((_n, { item, attempt }) => {
    console.log('squaring', item, 'by attempt', attempt);
    if (item === 2 && attempt === 1) throw new Error('not yet');
    return item * item;
  }), { foreach: list, retry: 2 });
  const letters = p.foreach('letter', ['a', 'b'], (q) => {
    const page = q.step('page', shell('echo "# page" > "$HEADRACE_STEP_OUTPUT/page.md"'));
    return q.step('name', task((needs, { items }) => items.letter + Object.keys(needs.page.files).join()), { needs: { page } });
  });
  p.step('sum', task((needs) => ({ sum: needs.square.reduce((a, b) => a + b, 0), letters: needs.letters })), { needs: { square, letters } });
  export default p;`;

let directory = '';
let artifacts = '';
let variables: Record<string, string> = {};
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = writeRepository({ 'p.ts': PIPELINE });
  artifacts = `file:${join(directory, '.headrace', 'artifacts')}`;
  variables = {};
  writeFileSync(join(directory, 'headrace.config.ts'), `export default { project: 'test', repo: './repo' };`);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  removeProject(directory);
});

function begin(args: readonly string[], cwd = directory) {
  const { PATH = '', HOME = '' } = process.env;
  const env = { PATH, HOME, ...variables };
  const child = spawn(process.execPath, ['--conditions=headrace-source', MAIN, ...args], { cwd, env });
  children.push(child);
  const texts = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => (texts.stdout += text));
  child.stderr.on('data', (text) => (texts.stderr += text));
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, ...texts })) };
}

const headrace = (...args: readonly string[]) => begin(args).ended;

async function json<R>(...args: readonly string[]): Promise<R> {
  const { code, stdout, stderr } = await headrace(...args, '--json');
  expect(code, stderr + stdout).toBe(0);
  return JSON.parse(stdout) as R;
}

type Printed = Pick<SyncedRun, 'id' | 'state' | 'open' | 'taken' | 'problems'> & { readonly new: boolean };

/** What a shell does: every order that can be run, by processes of a folder that has the artifact store alone. */
async function loop(id: string): Promise<Printed> {
  const bare = join(directory, 'bare');
  mkdirSync(bare, { recursive: true });
  let printed = await json<Printed>('runs', 'sync', id);
  for (let round = 1; round < 12 && printed.state === 'running'; round++) {
    for (const { spec } of printed.open) {
      const args = ['step', '--spec', spec, '--attempt', String(round), '--artifacts', artifacts, '--json'];
      const { code, stderr } = await begin(args, bare).ended;
      expect([0, 1], stderr).toContain(code);
    }
    printed = await json<Printed>('runs', 'sync', id);
  }
  return printed;
}

/** Of what a command says against it, by its code. */
async function expectRefused(code: number, told: RegExp, ...args: readonly string[]): Promise<void> {
  expect(await headrace(...args)).toMatchObject({ code, stderr: expect.stringMatching(told) });
}

it('that a shell drives is listed, shown, told of, compared, repeated and refused as any other', async () => {
  expect((await headrace('apply')).code).toBe(0);
  const prepare = (to: number) => ['run', 'grid', '--param', `to=${to}`, '--elsewhere', 'nightly-1'];
  const prepared = await json<Printed>(...prepare(4));
  expect(prepared).toMatchObject({ id: 'nightly-1', state: 'running', new: true, problems: [] });
  expect(prepared.open.map(({ step, scope }) => `${step} ${scope}`)).toEqual(['list ', 'page 0', 'page 1']);
  expect(await json<Printed>(...prepare(4))).toMatchObject({ new: false, open: prepared.open });
  expect(await loop('nightly-1')).toMatchObject({ state: 'succeeded', problems: [] });

  const { runs } = await json<{ runs: readonly object[] }>('runs', 'list');
  expect(runs).toMatchObject([{ id: 'nightly-1', state: 'succeeded', elsewhere: expect.any(String) }]);
  const { steps } = await json<{ steps: { name: string; result: unknown }[] }>('runs', 'show', 'nightly-1');
  const result = { sum: 14, letters: ['apage.md', 'bpage.md'] };
  expect(steps.find(({ name }) => name === 'sum')?.result).toEqual(result);
  const logs = (await headrace('runs', 'logs', 'nightly-1', '--step', 'square')).stdout;
  expect(logs).toMatch(/── square\[0\], attempt 2\nsquaring 0 by attempt 2/);
  const again = await json<{ id: string }>('runs', 'rerun', 'nightly-1', '--from', 'sum');
  expect(again).toMatchObject({ state: 'succeeded' });
  expect(again).not.toHaveProperty('elsewhere');
  expect(await json('runs', 'diff', 'nightly-1', again.id)).toMatchObject({ differences: [] });

  await expectRefused(1, /HR_CONFLICT: run nightly-1 is driven elsewhere/, 'runs', 'resume', 'nightly-1');
  await expectRefused(1, /HR_CONFLICT: run nightly-1 was prepared before, by .* take another id/, ...prepare(5));
  await expectRefused(1, /is no run that is driven elsewhere/, 'runs', 'sync', again.id);
  await expectRefused(1, /HR_UNKNOWN_RUN: there is no run "nobody"/, 'runs', 'sync', 'nobody');
  await expectRefused(2, /./, 'run', 'grid', '--elsewhere', '--over', '2026-11-01..2026-11-02');
  await expectRefused(2, /./, 'runs', 'sync', 'x', '--ended', 'done');
  await expectRefused(2, /./, 'runs', 'sync', '--ended', 'failed');
}, 240_000);

const TASKS = 1500;

/** Results of two wide steps, as another place has left them. */
async function storeWide(): Promise<void> {
  const objects = openObjectStore(artifacts);
  const over = { kind: 'range' as const, start: 0, end: TASKS };
  await storeRun(objects, 'wide', {
    name: 'wide',
    params: [],
    steps: [
      plainStep('first', { foreach: over, retry: 1 }),
      plainStep('second', { foreach: over, needs: { first: 'first' } }),
    ],
  });
  for (const step of ['first', 'second'])
    for (let index = 0; index < TASKS; index++) {
      const key = `runs/wide/${step}/${index}`;
      const failed = step === 'first' && index % 7 === 0;
      const failure = { attempt: 1, cause: 'exit', reason: 'no', final: false };
      if (failed) await put(objects, `${key}/failure-1.json`, failure);
      await put(objects, `${key}/result.json`, { attempt: failed ? 2 : 1, output: { json: String(index) }, files: {} });
    }
}

it('leaves the same rows where its syncs are killed anywhere, and where two are at it', async () => {
  await storeWide();
  const registry = `sqlite:${join(directory, '.headrace', 'registry.db')}`;
  variables = { HEADRACE_REGISTRY_URL: registry, HEADRACE_ARTIFACTS_URL: artifacts };
  const database = await openDatabase(registry);
  onTestFinished(() => database.close());
  const store = await openRunStore(database, systemClock);
  /** How many tasks have rows that are final; -1 where there is no run yet. */
  const taken = async (): Promise<number> => (await store.list())[0]?.counts.succeeded ?? -1;
  const killedAt: number[] = [];
  for (const from of [0, 1, 600, 1400, 2100, 2600]) {
    const both = [begin(['runs', 'sync', 'wide', '--json']), begin(['runs', 'sync', 'wide', '--json'])];
    for (const untilMs = performance.now() + 60_000; (await taken()) < from && performance.now() < untilMs; )
      await delay(2);
    for (const { child } of both) child.kill('SIGKILL');
    await Promise.all(both.map(({ ended }) => ended));
    killedAt.push(await taken());
  }
  expect(killedAt.filter((count) => count > 0 && count < 2 * TASKS).length, killedAt.join()).toBeGreaterThan(2);
  const last = await json<Printed>('runs', 'sync', 'wide');
  expect(last).toMatchObject({ state: 'succeeded', problems: [] });
  const fresh = await openDatabase(`sqlite:${join(directory, 'fresh.db')}`);
  onTestFinished(() => fresh.close());
  await syncRun(syncDeps(fresh, openObjectStore(artifacts)), 'wide');
  expect(await rowsByResults(database, 'wide')).toEqual(await rowsByResults(fresh, 'wide'));
  expect(await miscounts(database)).toEqual([]);
  expect((await rowsOf(database)).pipeline_tasks).toHaveLength(2 * TASKS);
}, 300_000);
