// The orchestrator with what its built-in steps need: training sets from `offline`, models into the registry.

import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { HeadraceError, type Progress, silentProgress } from '../core/index.ts';
import type { StepAction } from '../definitions/index.ts';
import type {
  BuiltInTaskContext,
  BuiltInTasks,
  Executor,
  modelCandidates as ModelCandidates,
  OrchestratorDeps,
  RunsDeps,
} from '../orchestrator/index.ts';
import type { ModelVersion } from '../registry/index.ts';
import type { App } from './open-app.ts';
import type { RegisterModel } from './register-model.ts';

export interface OpenOrchestratorOptions {
  readonly progress: Progress;
  readonly onTask?: OrchestratorDeps['onTask'];
  readonly onWait?: OrchestratorDeps['onWait'];
  readonly signal?: AbortSignal;
}

/** What it takes to look at runs, and to cancel them. */
export async function openRuns(app: App): Promise<RunsDeps> {
  return {
    database: await app.database(),
    objects: await app.objects(),
    clock: app.clock,
    workDirectory: join(app.config.values['offline.path'], 'runs'),
  };
}

/** What it takes to drive one. Throws HR_NOTHING_APPLIED. */
export async function openOrchestrator(app: App, options: OpenOrchestratorOptions): Promise<OrchestratorDeps> {
  const { modelCandidates, openFleetExecutor, openLocalExecutor } = await import('../orchestrator/index.ts');
  const runs = await openRuns(app);
  const definitions = await app.applied();
  const { onTask, onWait, signal } = options;
  return {
    ...runs,
    definitions,
    logger: app.logger,
    progress: options.progress,
    openExecutor: (driver) =>
      openLocalExecutor({
        ...machineOf(app, driver),
        objects: runs.objects,
        repository: definitions.directory,
        builtIns: createBuiltIns(app, modelCandidates),
      }),
    openFleet: (driver) =>
      openFleetExecutor({ driver, database: runs.database, objects: runs.objects, logger: app.logger }),
    executor: app.config.values['orchestrator.executor'] === 'fleet' ? 'fleet' : 'local',
    ...(onTask === undefined ? {} : { onTask }),
    ...(onWait === undefined ? {} : { onWait }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/**
 * This machine's executor away from any driver: steps that Headrace itself knows are run where there is a configuration file.
 * `slots`: how many CPUs tasks may use at once; this machine's where it is left out.
 */
export async function openTaskExecutor(app: App, driver: string, slots?: number): Promise<Executor> {
  const { modelCandidates, openLocalExecutor } = await import('../orchestrator/index.ts');
  const hasProject = existsSync(app.config.file);
  return openLocalExecutor({
    ...machineOf(app, driver),
    objects: await app.objects(),
    repository: hasProject ? app.config.values.repo : app.environment.workingDirectory,
    builtIns: hasProject ? createBuiltIns(app, modelCandidates) : {},
    ...(slots === undefined ? {} : { cpus: slots }),
  });
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

/** Where the virtual environments of Python steps are kept, beside the other state of the project. */
export function environmentsDirectory(app: App): string {
  return join(dirname(app.config.values['offline.path']), 'environments');
}

/** The Python 3 that makes them. */
export function pythonCommand(app: App): string {
  return app.environment.variables['HEADRACE_PYTHON'] ?? (process.platform === 'win32' ? 'python' : 'python3');
}

function createBuiltIns(app: App, modelCandidates: typeof ModelCandidates): BuiltInTasks {
  return {
    async trainingSet(action, context) {
      const { createTrainingSet } = await import('../offline/index.ts');
      const deps = await app.offline(silentProgress);
      const spine = spineOf(action.spine, context.directory);
      const scope = context.order.scope === '' ? '' : `-${context.order.scope.replaceAll('/', '-')}`;
      const name = `${context.runId}-${context.step}${scope}-${context.index}.parquet`;
      const record = await createTrainingSet(deps, {
        service: action.service,
        spine,
        directory: context.directory,
        timestamp: action.timestamp ?? (await spineTimestamp(app, action, spine, context.directory)),
        labels: action.labels,
        boundary: action.boundary,
        out: join(app.config.values['offline.path'], 'training-sets', name),
      });
      context.log(`training set ${record.id}: ${record.rows} rows, ${record.features.length} features, ${record.path}`);
      const { id, path, rows, service, timestamp, labels } = record;
      return { id, path, rows, service, timestamp, labels, features: record.features.map((feature) => feature.name) };
    },

    async registerModel(action, context) {
      const { registerModelFile } = await import('./register-model.ts');
      const { getBlob } = await import('../storage/index.ts');
      const all = [];
      const candidates = modelCandidates(context.needs, context.order.trainingSet ?? null);
      const registerAndWarn = async (request: RegisterModel): Promise<ModelVersion> => {
        const registered = await registerModelFile(app, request);
        for (const warning of registered.warnings) context.log(`warning: ${warning}`);
        return registered;
      };
      for (const [at, candidate] of candidates.entries()) {
        const isLast = at === candidates.length - 1;
        const version =
          (await registeredBefore(app, action.model, context, candidate.artifact)) ??
          (await registerAndWarn({
            model: action.model,
            onnx: await getBlob(await app.objects(), candidate.artifact),
            metrics: candidate.metrics,
            runId: context.runId,
            ...(candidate.trainingSet === null ? {} : { trainingSet: candidate.trainingSet }),
            ...(action.alias === undefined || !isLast ? {} : { alias: action.alias }),
          }));
        context.log(`registered ${version.model} version ${version.version}`);
        all.push({
          model: version.model,
          version: version.version,
          artifact: version.artifact,
          metrics: version.metrics,
        });
      }
      return candidates.length === 1 ? all[0] : all;
    },
  };
}

// A kill may come after the registration and before its result is kept: the run's next try finds what it made.
async function registeredBefore(app: App, model: string, context: BuiltInTaskContext, artifact: string) {
  const { models } = await app.registry();
  const isKnown = (await models.list()).some((known) => known.name === model);
  const versions = isKnown ? await models.versions(model) : [];
  return versions.find((version) => version.runId === context.runId && version.artifact === artifact);
}

function spineOf(spine: string, directory: string): string {
  const stays = isAbsolute(spine) || /^\s*(select|from|with)\s/i.test(spine) || /^[a-z0-9]+:\/\//i.test(spine);
  return stays ? spine : join(directory, spine);
}

/** The spine's only timestamp column that no feature takes; else its only one. */
async function spineTimestamp(
  app: App,
  action: Extract<StepAction, { kind: 'trainingSet' }>,
  spine: string,
  directory: string,
): Promise<string> {
  const { resolveService } = await import('../definitions/index.ts');
  const { manifest } = await app.applied();
  const taken = new Set(resolveService(manifest, action.service).requestColumns.map((column) => column.name));
  const connection = await (await app.duckdb()).connect();
  try {
    const isQuery = /^\s*(select|from|with)\s/i.test(spine);
    const { quoteText, startPathsAt } = await import('../storage/index.ts');
    const from = isQuery ? `(${await startPathsAt(connection, spine, directory)}\n)` : quoteText(spine);
    const described = await connection.runAndReadAll(`DESCRIBE FROM ${from}`);
    const columns = described.getRowsJS().map((row) => ({ name: String(row[0]), type: String(row[1]) }));
    const timestamps = columns.filter((column) => column.type.startsWith('TIMESTAMP')).map((column) => column.name);
    const free = timestamps.filter((name) => !taken.has(name));
    const [only, second] = free.length > 0 ? free : timestamps;
    if (only !== undefined && second === undefined) return only;
    const found = timestamps.length === 0 ? 'no timestamp column' : `several: ${timestamps.join(', ')}`;
    throw new HeadraceError(
      'HR_SPINE',
      `trainingSet({ spine: "${action.spine}" }) needs \`timestamp\`: the spine has ${found}.`,
    );
  } finally {
    connection.closeSync();
  }
}
