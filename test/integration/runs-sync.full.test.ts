// Runs that a loop of a shell drives: `headrace run --elsewhere`, `headrace step` and `headrace runs sync` as processes of their own,
// syncs that are killed, and a store in S3 that goes away.
// twin: test/contract/runs-sync.test.ts > has the same rows in whatever parts its results came
// twin: test/contract/runs-sync.test.ts > has the same rows where many make them at once

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { type SyncedRun, syncRun } from '../../src/orchestrator/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { rowsByResults, stepSpec, storeRun, syncDeps } from '../support/elsewhere-world.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { removeProject, writeRepository } from '../support/pipeline-project.ts';
import { miscounts, rowsOf } from '../support/run-rows.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';

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

interface Told {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let directory = '';
let variables: Record<string, string> = {};
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = writeRepository({ 'p.ts': PIPELINE });
  variables = {};
  writeFileSync(join(directory, 'headrace.config.ts'), `export default { project: 'test', repo: './repo' };`);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  removeProject(directory);
});

function begin(args: readonly string[], cwd = directory): { child: ChildProcess; ended: Promise<Told> } {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, ['--conditions=headrace-source', MAIN, ...args], {
    cwd,
    env: { PATH, HOME, ...variables },
  });
  children.push(child);
  const texts = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => (texts.stdout += text));
  child.stderr.on('data', (text) => (texts.stderr += text));
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, ...texts })) };
}

const headrace = (...args: readonly string[]): Promise<Told> => begin(args).ended;

async function json<R>(...args: readonly string[]): Promise<R> {
  const { code, stdout, stderr } = await headrace(...args, '--json');
  expect(code, stderr + stdout).toBe(0);
  return JSON.parse(stdout) as R;
}

type Printed = Pick<SyncedRun, 'id' | 'state' | 'open' | 'taken' | 'problems'> & { readonly new: boolean };

/** What a shell does: every order that can be run, by processes of a folder that has the artifact store alone. */
async function loop(id: string, artifacts: string): Promise<Printed> {
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

async function driveByShell(artifacts: string): Promise<void> {
  expect((await headrace('apply')).code).toBe(0);
  const prepared = await json<Printed>('run', 'grid', '--param', 'to=4', '--elsewhere', 'nightly-1');
  expect(prepared).toMatchObject({ id: 'nightly-1', state: 'running', new: true, problems: [] });
  expect(prepared.open.map(({ step, scope }) => [step, scope])).toEqual([
    ['list', ''],
    ['page', '0'],
    ['page', '1'],
  ]);
  expect(await json<Printed>('run', 'grid', '--param', 'to=4', '--elsewhere', 'nightly-1')).toMatchObject({
    new: false,
    open: prepared.open,
  });
  expect(await loop('nightly-1', artifacts)).toMatchObject({ state: 'succeeded', problems: [] });
}

describe('a run that a shell drives', { timeout: 240_000 }, () => {
  it('is listed, shown, told of, compared, repeated and refused as any other', async () => {
    await driveByShell(`file:${join(directory, '.headrace', 'artifacts')}`);
    const listed = await json<{ runs: { id: string; state: string; elsewhere?: string }[] }>('runs', 'list');
    expect(listed.runs).toMatchObject([{ id: 'nightly-1', state: 'succeeded', elsewhere: expect.any(String) }]);
    const shown = await json<{ steps: { name: string; result: unknown; counts: object }[]; cards: object[] }>(
      'runs',
      'show',
      'nightly-1',
    );
    expect(shown.steps.find(({ name }) => name === 'sum')?.result).toEqual({
      sum: 14,
      letters: ['apage.md', 'bpage.md'],
    });
    const logs = (await headrace('runs', 'logs', 'nightly-1', '--step', 'square')).stdout;
    expect(logs).toMatch(/── square\[0\], attempt 2\nsquaring 0 by attempt 2/);
    const again = await json<{ id: string; state: string; elsewhere?: string }>(
      'runs',
      'rerun',
      'nightly-1',
      '--from',
      'sum',
    );
    expect(again).toMatchObject({ state: 'succeeded' });
    expect(again.elsewhere).toBeUndefined();
    expect(await json('runs', 'diff', 'nightly-1', again.id)).toMatchObject({ differences: [] });

    const resumed = await headrace('runs', 'resume', 'nightly-1');
    expect([resumed.code, resumed.stderr]).toEqual([
      1,
      expect.stringMatching(/HR_CONFLICT: run nightly-1 is driven elsewhere/),
    ]);
    const other = await headrace('run', 'grid', '--param', 'to=5', '--elsewhere', 'nightly-1');
    expect([other.code, other.stderr]).toEqual([
      1,
      expect.stringMatching(/HR_CONFLICT: run nightly-1 was prepared before, by .* take another id/),
    ]);
    const here = await headrace('runs', 'sync', again.id);
    expect([here.code, here.stderr]).toEqual([1, expect.stringMatching(/is no run that is driven elsewhere/)]);
    const unknown = await headrace('runs', 'sync', 'nobody');
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringMatching(/HR_UNKNOWN_RUN: there is no run "nobody"/),
    ]);
    expect((await headrace('run', 'grid', '--elsewhere', '--over', '2026-11-01..2026-11-02')).code).toBe(2);
    expect((await headrace('runs', 'sync', 'x', '--ended', 'done')).code).toBe(2);
    expect((await headrace('runs', 'sync', '--ended', 'failed')).code).toBe(2);
  });
});

const TASKS = 1500;

/** Results of two wide steps, as another place has left them. */
async function storeWide(artifacts: string): Promise<void> {
  const objects = openObjectStore(artifacts);
  const over = { kind: 'range' as const, start: 0, end: TASKS };
  await storeRun(objects, 'wide', {
    name: 'wide',
    params: [],
    steps: [
      stepSpec('first', { foreach: over, retry: 1 }),
      stepSpec('second', { foreach: over, needs: { first: 'first' } }),
    ],
  });
  for (const step of ['first', 'second'])
    for (let index = 0; index < TASKS; index++) {
      const key = `runs/wide/${step}/${index}`;
      if (step === 'first' && index % 7 === 0)
        await objects.put(
          `${key}/failure-1.json`,
          Buffer.from(JSON.stringify({ attempt: 1, cause: 'exit', reason: 'no', final: false })),
        );
      const attempt = step === 'first' && index % 7 === 0 ? 2 : 1;
      await objects.put(
        `${key}/result.json`,
        Buffer.from(JSON.stringify({ attempt, output: { json: String(index) }, files: {} })),
      );
    }
}

it('leaves the same rows where its syncs are killed anywhere, and where two are at it', {
  timeout: 300_000,
}, async () => {
  const artifacts = `file:${join(directory, '.headrace', 'artifacts')}`;
  await storeWide(artifacts);
  const registry = `sqlite:${join(directory, '.headrace', 'registry.db')}`;
  variables = { HEADRACE_REGISTRY_URL: registry, HEADRACE_ARTIFACTS_URL: artifacts };
  const database = await openDatabase(registry);
  const store = await openRunStore(database, systemClock);
  /** How many tasks have rows that are final; -1 where there is no run yet. */
  const taken = async (): Promise<number> => {
    const [run] = await store.list();
    return run === undefined ? -1 : run.counts.succeeded;
  };
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
  try {
    await syncRun(syncDeps(fresh, openObjectStore(artifacts)), 'wide');
    expect(await rowsByResults(database, 'wide')).toEqual(await rowsByResults(fresh, 'wide'));
    expect(await miscounts(database)).toEqual([]);
    expect((await rowsOf(database)).pipeline_tasks).toHaveLength(2 * TASKS);
  } finally {
    await database.close();
    await fresh.close();
  }
});

const program = findS3Server('runs that a shell drives');

describe.skipIf(program === undefined)('a store in S3', { timeout: 300_000 }, () => {
  let server: S3Server;
  let proxy: FaultyProxy;
  beforeAll(async () => {
    server = await startS3Server(program as NonNullable<typeof program>);
    proxy = await startFaultyProxy(server.endpoint);
  }, 120_000);
  afterAll(async () => {
    await proxy?.stop();
    await server?.stop();
  });
  const inBucket = async (endpoint: string): Promise<string> => {
    const url = `s3://${await server.newBucket()}/artifacts`;
    variables = {
      HEADRACE_ARTIFACTS_URL: url,
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    };
    return url;
  };

  it('has all that a shell needs', async () => {
    await driveByShell(await inBucket(server.endpoint));
  });
});
