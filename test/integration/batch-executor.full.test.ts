// Slices on AWS Batch, on moto with jobs that run as processes: `headrace step` in the containers, results by the artifact store.
// twin: test/integration/cluster-executor.test.ts > runs a part for every `pack` tasks

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import type { StepAction } from '../../src/definitions/index.ts';
import { openBatchJobs } from '../../src/orchestrator/executors/aws-batch/batch-jobs.ts';
import { openClusterExecutor } from '../../src/orchestrator/executors/cluster/cluster-executor.ts';
import { openObjectStore } from '../../src/storage/index.ts';
import { type BatchServer, batchVariables, findBatchServer, startBatchServer } from '../support/batch-server.ts';
import { createWorld, type ExecutorWorld, processesWith, until } from '../support/executor-world.ts';
import { STEP_COMMAND } from '../support/process-jobs.ts';

const python = findBatchServer('the executor of AWS Batch');
const shell = (command: string): StepAction => ({ kind: 'shell', command });
const range = (end: number) => ({ foreach: { kind: 'range', start: 0, end } as const });

describe.skipIf(python === undefined)('the executor of AWS Batch', { timeout: 120_000 }, () => {
  let server: BatchServer;
  let folder: string;
  let queue: string;
  const worlds: ExecutorWorld[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-batch-'));
    server = await startBatchServer(python ?? '', { secondMs: 100, slots: 2 });
    for (const [name, value] of Object.entries(batchVariables(server.endpoint))) vi.stubEnv(name, value);
    await server.define('headrace-step');
    queue = await server.newQueue();
  }, 120_000);
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.executor.close();
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const openWorld = (run: string, pack = 1, driver = `batch-test/${worlds.length}`): ExecutorWorld => {
    const url = `file:${join(folder, 'artifacts')}`;
    const objects = openObjectStore(url);
    const executor = openClusterExecutor({
      kind: 'aws-batch',
      jobs: openBatchJobs({ queue, definition: 'headrace-step', logger: silentLogger, lookMs: 100, missingMs: 500 }),
      objects,
      run,
      driver,
      pack,
      logger: silentLogger,
      env: { HEADRACE_ARTIFACTS_URL: url, HEADRACE_OFFLINE_PATH: join(folder, 'offline') },
      command: STEP_COMMAND,
    });
    const world = createWorld({ directory: folder, driver, objects, executor });
    worlds.push(world);
    return world;
  };

  it('runs the tasks of a slice in the children of an array, packed', async () => {
    const made = openWorld('run-packed', 2);
    const action = await made.task('module.exports = (_, { index }) => index * 10;');
    const ends = await made.run(action, { run: 'run-packed', ...range(5) }, 5);
    expect(await Promise.all(ends.map(made.value))).toEqual([0, 10, 20, 30, 40]);
  });

  it('tells failures by the step’s own words, and gives it the secrets that Batch reads', async () => {
    const made = openWorld('run-secrets');
    const [failed] = await made.run(shell('exit 3'), { run: 'run-secrets', step: 'fails' });
    expect(failed).toMatchObject({ kind: 'failed', cause: 'exit', reason: 'exit code 3', isFinal: false });
    const arn = await server.newSecret('s3cr3t');
    const [told] = await made.run(shell(`printf '"%s"' "$API_KEY" > $HEADRACE_STEP_OUTPUT/result.json`), {
      run: 'run-secrets',
      secrets: { API_KEY: { arn } },
    });
    expect(await made.value(told)).toBe('s3cr3t');
  });

  it('loses the task whose machine Spot takes, and another attempt makes it', async () => {
    const made = openWorld('run-spot');
    const mark = join(folder, 'spot-began');
    const spec = await made.order(shell(`test -f ${mark} && exit 0; touch ${mark}; exec sleep 300`), {
      run: 'run-spot',
    });
    const slice = made.slice(spec);
    await made.executor.submit([slice]);
    await until(() => existsSync(mark));
    const [id] = await openBatchJobs({ queue, definition: 'headrace-step', logger: silentLogger }).find([
      `headrace-${slice.id}`,
    ]);
    await server.takeMachine(id ?? '');
    expect(await made.ends(slice)).toMatchObject([{ kind: 'lost' }]);
    const again = { ...made.slice(spec), tasks: [{ index: 0, attempt: 2 }] };
    await made.executor.submit([again]);
    expect(await made.ends(again)).toMatchObject([{ kind: 'succeeded' }]);
  });

  it('leaves nothing running after a cancel', async () => {
    const made = openWorld('run-cancel');
    const spec = await made.order(shell('sleep 311; true'), { run: 'run-cancel', ...range(2) });
    const handles = await made.executor.submit([made.slice(spec, 2)]);
    await until(() => processesWith('sleep 311').length > 0);
    await made.executor.cancel(handles);
    expect(processesWith('sleep 311')).toEqual([]);
  });
});
