// An executor of AWS Batch over a queue of its own, whose containers are processes of this machine.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../src/core/index.ts';
import { openBatchJobs } from '../../src/orchestrator/executors/aws-batch/batch-jobs.ts';
import { openClusterExecutor } from '../../src/orchestrator/executors/cluster/cluster-executor.ts';
import { openObjectStore } from '../../src/storage/index.ts';
import type { BatchServer } from './batch-server.ts';
import type { ContractOptions } from './executor-contract.ts';
import { createWorld, type ExecutorWorld } from './executor-world.ts';
import { STEP_COMMAND } from './process-jobs.ts';

let worlds = 0;

/** `definition` is registered on the server; the process finds it by the AWS variables. `variables` are those of the containers. */
export async function openBatchWorld(
  server: BatchServer,
  definition: string,
  { directory: given, driver: named, variables = {}, pack = 1 }: ContractOptions,
): Promise<ExecutorWorld> {
  const directory = given ?? mkdtempSync(join(tmpdir(), 'headrace-batch-'));
  worlds += 1;
  const driver = named ?? `batch-test/${process.pid}/${worlds}`;
  const url = `file:${join(directory, 'artifacts')}`;
  const objects = openObjectStore(url);
  const queue = await server.newQueue();
  const compiled = process.env['NODE_COMPILE_CACHE'];
  const env = {
    ...Object.fromEntries(
      Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    HEADRACE_ARTIFACTS_URL: url,
    HEADRACE_OFFLINE_PATH: join(directory, 'offline'),
    // By it the tests find the containers of a driver.
    TEST_DRIVER: driver,
    ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled }),
  };
  const executor = openClusterExecutor({
    kind: 'aws-batch',
    jobs: openBatchJobs({ queue, definition, logger: silentLogger, lookMs: 100, missingMs: 500 }),
    objects,
    run: 'driven',
    driver,
    pack,
    logger: silentLogger,
    env,
    command: STEP_COMMAND,
  });
  return createWorld({ directory, driver, objects, executor, isCommittedByPlace: true });
}
