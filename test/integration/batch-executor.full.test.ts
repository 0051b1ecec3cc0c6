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
import { createWorld, type ExecutorWorld, until } from '../support/executor-world.ts';
import { STEP_COMMAND } from '../support/process-jobs.ts';

const python = findBatchServer('the executor of AWS Batch');
const shell = (command: string): StepAction => ({ kind: 'shell', command });

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
      env: {
        HEADRACE_ARTIFACTS_URL: url,
        HEADRACE_OFFLINE_PATH: join(folder, 'offline'),
        NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      },
      command: STEP_COMMAND,
    });
    const world = createWorld({ directory: folder, driver, objects, executor });
    worlds.push(world);
    return world;
  };

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
});
