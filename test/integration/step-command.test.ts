// `headrace step` as other systems start it: a process that has the artifact store and nothing else, killed and raced.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StepAction } from '../../src/definitions/index.ts';
import type { StepOrder } from '../../src/orchestrator/step/order.ts';
import { type ObjectStore, openObjectStore, putBlob } from '../../src/storage/index.ts';
import { processesWith, until } from '../support/executor-world.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { folderOfTest } from '../support/new-folder.ts';
import { skipBecause } from '../support/skips.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';
import { orderOf } from '../support/step-order.ts';
import { headrace } from '../support/serving-project.ts';
import { fullDescribe, fullIt, isFull } from '../support/tier.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

const program = isFull ? findS3Server('headrace step') : undefined;
// moto lets both of two racing writers win.
const hasRaces = (name: string): boolean => name !== 'moto';
if (program?.name === 'moto') skipBecause('headrace step, two processes of one task on S3: no versitygw is installed');

describe.each(['disk', ...(program === undefined ? [] : [program.name])])('headrace step, on %s', (name) => {
  let folder = '';
  let url = '';
  let variables: Record<string, string> = {};
  let objects: ObjectStore;
  const children: ChildProcess[] = [];

  let s3: S3Server | undefined;
  beforeAll(async () => void (name !== 'disk' && program && (s3 = await startS3Server(program))), 120_000);
  afterAll(() => s3?.stop());
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-step-'));
    url = s3 === undefined ? `file:${join(folder, 'artifacts')}` : `s3://${await s3.newBucket()}/artifacts`;
    objects = openObjectStore(url, s3?.access ?? {});
    variables = s3?.variables ?? {};
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const order = async (action: StepAction, other: Partial<StepOrder> = {}): Promise<string> =>
    `blob:${await putBlob(objects, Buffer.from(JSON.stringify(orderOf(action, other))))}`;
  const shell = (command: string): StepAction => ({ kind: 'shell', command });

  const begin = (spec: string, ...args: readonly string[]) => beginWith({}, spec, ...args);
  const beginWith = (more: Readonly<Record<string, string>>, spec: string, ...args: readonly string[]) => {
    const line = ['--conditions=headrace-source', MAIN, 'step', '--spec', spec, '--artifacts', url, '--json', ...args];
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(process.execPath, line, { cwd: folder, env: { PATH, HOME, ...variables, ...more } });
    children.push(child);
    const texts = { stdout: '', stderr: '' };
    child.stdout.on('data', (text) => (texts.stdout += text));
    child.stderr.on('data', (text) => (texts.stderr += text));
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...texts }));
    return { child, ended };
  };
  const step = async (spec: string, ...args: readonly string[]) => {
    // On the disk nothing of the environment tells where it lies.
    const { code, stdout, stderr } =
      name === 'disk'
        ? headrace({ directory: folder }, ['step', '--spec', spec, '--artifacts', url, '--json', ...args])
        : await begin(spec, ...args).ended;
    return { code, stderr, told: stdout === '' ? undefined : JSON.parse(stdout) };
  };
  const resultAt = async (key: string): Promise<unknown> =>
    JSON.parse(Buffer.from((await objects.get(key)) ?? []).toString());

  it('runs the tasks that are asked for, and stores their results and files', async () => {
    const bundle = await putBlob(objects, Buffer.from('module.exports = (_, { item, attempt }) => [item, attempt];'));
    const action: StepAction = { kind: 'task', function: { id: 'f', hash: bundle, bundle } };
    const spec = await order(action, { foreach: { kind: 'items', items: ['a', 'b', 'c'] }, scope: '17/3' });
    const { code, told } = await step(spec, '--index', '0', '--index', '2', '--attempt', '4');
    expect(code).toBe(0);
    expect(told).toMatchObject({
      run: 'run-1',
      step: 's',
      scope: '17/3',
      tasks: [
        { index: 0, state: 'succeeded', result: ['a', 4], was_there: false },
        { index: 2, state: 'succeeded', result: ['c', 4] },
      ],
    });
    const result = { attempt: 4, output: { json: '["c",4]' }, files: {} };
    expect(await resultAt('runs/run-1/s/17/3/2/result.json')).toEqual(result);
    expect(await objects.get('runs/run-1/s/17/3/1/result.json')).toBeUndefined();
    const all = await step(spec);
    expect(all.told.tasks).toMatchObject([
      { index: 0, attempt: 4, was_there: true },
      { index: 1, attempt: 1, was_there: false },
      { index: 2, attempt: 4, was_there: true },
    ]);
    const files = await step(await order(shell('echo x > $HEADRACE_STEP_OUTPUT/model'), { step: 'fit' }));
    expect(files.told.tasks[0].files.model).toMatchObject({ size: 2, uri: expect.stringMatching(/^blob:/) });
  });

  it.each<[string, string, number, { state: string; reason?: string }]>([
    ['a failure', 'exit 3', 1, { state: 'failed', reason: 'exit code 3' }],
    ['one for good', 'exit 78', 78, { state: 'failed', reason: 'exit code 78' }],
    ['a loss', 'kill -9 $$', 75, { state: 'lost' }],
  ])('tells %s by its exit code, and leaves the task to be tried again', async (_, command, code, task) => {
    const spec = await order(shell(`test -e ${folder}/again || { touch ${folder}/again; ${command}; }`));
    expect(await step(spec)).toMatchObject({ code, told: { tasks: [task] } });
    const told = code === 75 ? undefined : { attempt: 1, reason: task.reason, final: code === 78 };
    if (told !== undefined) expect(await resultAt('runs/run-1/s/0/failure-1.json')).toMatchObject(told);
    expect(await step(spec, '--attempt', '2')).toMatchObject({ code: 0, told: { tasks: [{ attempt: 2 }] } });
  });

  it.each([
    ['an order that is not there', `blob:${'f'.repeat(64)}`, /f{64} is not in the store/],
    ['a place of no order', 'order.json', /an order lies at blob:<SHA-256>, got "order\.json"/],
  ])('refuses %s for good', async (_, spec, told) => {
    expect(await step(spec)).toMatchObject({ code: 78, stderr: expect.stringMatching(told) });
  });

  it('refuses for good a task that the step has not, and a step that needs the project', async () => {
    const few = await step(await order(shell('true')), '--index', '3');
    expect(few).toMatchObject({ code: 78, stderr: expect.stringContaining('has 1 task, 0, and no 3') });
    const register = await step(await order({ kind: 'registerModel', model: 'm' }));
    expect(register).toMatchObject({
      code: 78,
      told: { tasks: [{ reason: expect.stringMatching(/"registerModel".*run it where headrace\.config\.ts is/) }] },
    });
  });

  // twin: test/contract/object-store.test.ts > on %s exactly one of many racing writers creates a key
  // twin: test/integration/step-command.test.ts > runs the tasks that are asked for, and stores their results and files
  fullIt.runIf(hasRaces(name))('has one result of a task that two processes run at once', async () => {
    const both = join(folder, 'both');
    const command = `echo x >> ${both}; while [ $(wc -l < ${both}) -lt 2 ]; do sleep 0.05; done; echo "\\"$$\\"" > $HEADRACE_STEP_OUTPUT/result.json`;
    const spec = await order(shell(command));
    const ends = await Promise.all([begin(spec).ended, begin(spec).ended]);
    expect(ends.map(({ code }) => code)).toEqual([0, 0]);
    const [a, b] = ends.map(({ stdout }) => JSON.parse(stdout).tasks[0]);
    expect(a.result).toBe(b.result);
    expect([a.was_there, b.was_there].sort()).toEqual([false, true]);
  });

  // twin: test/integration/step-command.test.ts > tells %s by its exit code, and leaves the task to be tried again
  fullIt('runs a task again that a kill -9 ended, and leaves nothing of it running', async () => {
    const place = join(folder, 'marks');
    writeFileSync(place, '');
    const spec = await order(
      shell(`echo $HEADRACE_ATTEMPT >> ${place}; test -e ${folder}/go || { setsid sleep 1000; sleep 1000; }`),
    );
    const { child, ended } = begin(spec);
    await until(() => readFileSync(place, 'utf8') !== '', 'its start');
    child.kill('SIGKILL');
    await ended;
    const mark = `HEADRACE_ATTEMPT=${readFileSync(place, 'utf8').trim().split(':')[0]}:`;
    await until(() => processesWith(mark).length === 0, 'the end of what it started');
    expect(await objects.get('runs/run-1/s/0/result.json')).toBeUndefined();
    appendFileSync(join(folder, 'go'), '');
    expect(await step(spec)).toMatchObject({ code: 0, told: { tasks: [{ state: 'succeeded', was_there: false }] } });
    expect(existsSync(join(folder, 'headrace.config.ts'))).toBe(false);
  });

  // twin: test/integration/cluster-executor.test.ts > waits for an artifact store that is away, and takes nothing for lost meanwhile
  fullDescribe.skipIf(name === 'disk')('while the store is away', () => {
    let proxy: FaultyProxy;
    beforeEach(async () => {
      proxy = await startFaultyProxy(variables['AWS_ENDPOINT_URL_S3'] ?? '');
    });
    afterEach(() => proxy.stop());
    const beginThrough = (spec: string) => beginWith({ AWS_ENDPOINT_URL_S3: proxy.endpoint }, spec);

    const isCommit = (method: string, path: string) => method === 'PUT' && path.includes('result.json');
    it.each([
      ['is to begin', () => true],
      ['has ended and is to be committed', isCommit],
    ])('waits where a task %s', async (_, isAsked) => {
      // Longer than the client of the store tries by itself.
      const AWAY_MS = 10_000;
      let since: number | undefined;
      let refused = 0;
      proxy.fault = (method, path) => {
        if (!isAsked(method, path)) return undefined;
        since ??= performance.now();
        if (performance.now() - since > AWAY_MS) return undefined;
        refused += 1;
        return { kind: 'status', status: 503 };
      };
      const place = join(folder, 'runs');
      const { code, stdout } = await beginThrough(await order(shell(`echo x >> ${place}`))).ended;
      expect({ code, tasks: JSON.parse(stdout).tasks }).toMatchObject({ code: 0, tasks: [{ state: 'succeeded' }] });
      expect(refused).toBeGreaterThan(3);
      expect(readFileSync(place, 'utf8')).toBe('x\n');
    });

    it('waits no more once it is told to end', async () => {
      let refused = 0;
      proxy.fault = () => {
        refused += 1;
        return { kind: 'status', status: 503 };
      };
      const { child, ended } = beginThrough(await order(shell('true')));
      await until(() => refused > 0, 'a refusal');
      child.kill('SIGTERM');
      expect(await ended).toMatchObject({ code: 75, stderr: expect.stringContaining('HR_STORAGE_UNAVAILABLE') });
    });
  });

  // twin: test/integration/step-command.test.ts > tells %s by its exit code, and leaves the task to be tried again
  fullIt('loses what runs when it is told to end', async () => {
    const spec = await order(shell(`touch ${folder}/runs; sleep 1000`));
    const { child, ended } = begin(spec);
    await until(() => existsSync(join(folder, 'runs')), 'its start');
    child.kill('SIGTERM');
    const { code, stdout } = await ended;
    expect(code).toBe(75);
    expect(JSON.parse(stdout).tasks).toMatchObject([{ state: 'lost' }]);
  });
});

it('says what is missing where there is neither a configuration nor a store', () => {
  const { code, stderr } = headrace({ directory: folderOfTest() }, ['step', '--spec', `blob:${'0'.repeat(64)}`]);
  expect(code).toBe(78);
  expect(stderr).toMatch(/HEADRACE_ARTIFACTS_URL is not set\. Give one with --config, set what is missing/);
});
