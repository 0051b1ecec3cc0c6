// An executor of a cluster whose containers are processes of this machine, each a `headrace step` of its own.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../src/core/index.ts';
import { openClusterExecutor } from '../../src/orchestrator/executors/cluster/cluster-executor.ts';
import type { ClusterJobs } from '../../src/orchestrator/executors/cluster/cluster-jobs.ts';
import type { ClusterKind } from '../../src/orchestrator/step/secrets.ts';
import { openObjectStore } from '../../src/storage/index.ts';
import type { ContractOptions } from './executor-contract.ts';
import { createWorld, type ExecutorWorld } from './executor-world.ts';
import { STEP_COMMAND } from './process-jobs.ts';

/** Its slices are those of one run, whichever runs their orders are of. */
const RUN = 'driven';

let worlds = 0;

/** `open` gives jobs of a run, in a place of the cluster where no other world has any. `variables` are those of the containers. */
export function openClusterWorld(
  kind: ClusterKind,
  open: (run: string) => ClusterJobs,
  { directory: given, driver: named, variables = {}, pack = 1 }: ContractOptions,
): ExecutorWorld {
  const directory = given ?? mkdtempSync(join(tmpdir(), `headrace-${kind}-`));
  worlds += 1;
  const driver = named ?? `${kind}-test/${process.pid}/${worlds}`;
  const url = `file:${join(directory, 'artifacts')}`;
  const objects = openObjectStore(url);
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
    kind,
    jobs: open(RUN),
    objects,
    run: RUN,
    driver,
    pack,
    logger: silentLogger,
    env,
    command: STEP_COMMAND,
  });
  return createWorld({ directory, driver, objects, executor, isCommittedByPlace: true });
}
