// The orchestrator with what its built-in steps need; each kind of them is a file of `steps/`.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ownVersion } from '../core/index.ts';
import type { EnvironmentBuild, Executor, OrchestratorDeps } from '../orchestrator/index.ts';
import type { App } from './open-app.ts';
import { openClusters } from './open-clusters.ts';
import { environmentsDirectory, openRuns } from './open-runs.ts';
import { createBuiltInReads } from './steps/built-in-reads.ts';
import { createBuiltIns } from './steps/built-ins.ts';

export interface OpenOrchestratorOptions {
  readonly onTask?: OrchestratorDeps['onTask'];
  readonly onProgress?: OrchestratorDeps['onProgress'];
  readonly onEdited?: OrchestratorDeps['onEdited'];
  readonly onWait?: OrchestratorDeps['onWait'];
  /** Told while a Python environment is built; left out: the log is. */
  readonly onEnvironment?: (build: EnvironmentBuild) => void;
  readonly signal?: AbortSignal;
}

/** What it takes to drive one. Throws HR_NOTHING_APPLIED. */
export async function openOrchestrator(app: App, options: OpenOrchestratorOptions): Promise<OrchestratorDeps> {
  const { openCacheReads, openFleetExecutor, openInterpreter, openLocalExecutor, openPythonEnvironments } =
    await import('../orchestrator/index.ts');
  const runs = await openRuns(app);
  const definitions = await app.applied();
  const { onTask, onProgress, onEdited, onWait, onEnvironment = logBuilds(app), signal } = options;
  return {
    ...runs,
    definitions,
    logger: app.logger,
    openExecutor: (driver) =>
      openLocalExecutor({
        ...machineOf(app, driver),
        objects: runs.objects,
        repository: definitions.directory,
        builtIns: createBuiltIns(app),
        onEnvironment,
      }),
    openFleet: (driver, run) =>
      openFleetExecutor({ driver, run, database: runs.database, objects: runs.objects, logger: app.logger }),
    cacheReads: openCacheReads({
      interpreter: openInterpreter(pythonCommand(app)),
      environments: openPythonEnvironments(environmentsDirectory(app), pythonCommand(app), { onBuild: onEnvironment }),
      objects: runs.objects,
      repository: definitions.directory,
      workDirectory: runs.workDirectory,
      path: app.environment.variables['PATH'],
      executor: app.config.values['orchestrator.executor'],
      version: await ownVersion(),
      builtIns: createBuiltInReads(app),
    }),
    pools: app.config.values['orchestrator.pools'] ?? {},
    clusters: openClusters(app),
    executor: app.config.values['orchestrator.executor'],
    ...(onTask === undefined ? {} : { onTask }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(onEdited === undefined ? {} : { onEdited }),
    ...(onWait === undefined ? {} : { onWait }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/**
 * This machine's executor away from any driver: steps that Headrace itself knows are run where there is a configuration file.
 * `slots`: how many CPUs tasks may use at once; this machine's where it is left out.
 */
export async function openTaskExecutor(app: App, driver: string, slots?: number): Promise<Executor> {
  const { openLocalExecutor } = await import('../orchestrator/index.ts');
  return openLocalExecutor({
    ...machineOf(app, driver),
    objects: await app.objects(),
    repository: hasProject(app) ? app.config.values.repo : app.environment.workingDirectory,
    builtIns: hasProject(app) ? createBuiltIns(app) : {},
    onEnvironment: logBuilds(app),
    ...(slots === undefined ? {} : { cpus: slots }),
  });
}

/** Whether it is opened where a project's configuration is: elsewhere nothing that takes the project's stores can be done. */
export function hasProject(app: App): boolean {
  return existsSync(app.config.file);
}

function logBuilds({ logger }: App): (build: EnvironmentBuild) => void {
  return ({ of, state, seconds }) =>
    logger.info({ requirements: of, state, seconds: Math.round(seconds) }, 'Python environment');
}

function machineOf(app: App, driver: string) {
  const { values } = app.config;
  return {
    driver,
    artifactsUrl: values['artifacts.url'],
    workDirectory: join(values['offline.path'], 'runs'),
    cacheDirectory: join(values['offline.path'], 'step-files'),
    environmentsDirectory: environmentsDirectory(app),
    python: pythonCommand(app),
    variables: app.environment.variables,
  };
}

/** The Python 3 that makes them. */
export function pythonCommand(app: App): string {
  return app.environment.variables['HEADRACE_PYTHON'] ?? (process.platform === 'win32' ? 'python' : 'python3');
}
