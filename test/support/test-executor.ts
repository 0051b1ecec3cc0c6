// This machine's executor over one folder: artifacts, scratch files, caches and environments all lie in it.

import { join } from 'node:path';
import {
  type LocalExecutor,
  type LocalExecutorOptions,
  openLocalExecutor,
} from '../../src/orchestrator/executors/local/local-executor.ts';
import { openObjectStore } from '../../src/storage/index.ts';

export type TestExecutorOptions = Partial<LocalExecutorOptions> & Pick<LocalExecutorOptions, 'driver'>;

/** Two CPUs, half a second between SIGTERM and SIGKILL, and the folder as the repository, unless `options` say otherwise. */
export function openTestExecutor(directory: string, options: TestExecutorOptions): LocalExecutor {
  const { artifactsUrl = `file:${join(directory, 'artifacts')}` } = options;
  return openLocalExecutor({
    objects: openObjectStore(artifactsUrl),
    artifactsUrl,
    workDirectory: join(directory, 'work'),
    cacheDirectory: join(directory, 'cache'),
    environmentsDirectory: join(directory, 'environments'),
    python: 'python3',
    repository: directory,
    builtIns: {},
    cpus: 2,
    graceMs: 500,
    ...options,
  });
}
