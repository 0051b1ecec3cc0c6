// A project with pipelines in a temporary folder, and the orchestrator over it. Run as a program it drives a run, to be killed by a test.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { loadDefinitions } from '../../src/definitions/index.ts';
import {
  type BuiltInTasks,
  modelCandidates,
  openFleetExecutor,
  type OrchestratorDeps,
  resumeRun,
  runPipeline,
} from '../../src/orchestrator/index.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { createInlineExecutor } from './inline-executor.ts';
import { openTestExecutor } from './test-executor.ts';

export interface PipelineProject {
  readonly directory: string;
  readonly deps: OrchestratorDeps;
  close(): Promise<void>;
}

/** A folder with these files (by relative path) as its feature repository; `__PROJECT__` in them is the folder. */
export function writeRepository(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-pipeline-'));
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, 'repo', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text.replaceAll('__PROJECT__', directory));
  }
  return directory;
}

export async function openPipelineProject(
  directory: string,
  overrides: Partial<OrchestratorDeps> & {
    readonly cpus?: number;
    readonly registryUrl?: string;
    readonly artifactsUrl?: string;
    /** Functions run in this process, which starts no other. */
    readonly isInline?: boolean;
  } = {},
): Promise<PipelineProject> {
  const { cpus = 4, registryUrl = `sqlite:${join(directory, 'registry.db')}`, isInline = false, ...more } = overrides;
  const { artifactsUrl = `file:${join(directory, 'artifacts')}`, ...others } = more;
  const database = await openDatabase(registryUrl);
  const objects = openObjectStore(artifactsUrl);
  const builtIns: BuiltInTasks = {
    trainingSet: async (action) => ({ id: 'ts-1', service: action.service, path: 'set.parquet' }),
    registerModel: async (action, { needs, order }) => ({
      model: action.model,
      candidates: modelCandidates(needs, order.trainingSet ?? null),
    }),
  };
  const workDirectory = join(directory, 'work');
  const deps: OrchestratorDeps = {
    definitions: await loadDefinitions(join(directory, 'repo'), 'test'),
    database,
    objects,
    clock: systemClock,
    logger: silentLogger,
    workDirectory,
    openExecutor: (driver) =>
      isInline
        ? createInlineExecutor({ objects, tasks: cpus, builtIns, workDirectory })
        : openTestExecutor(directory, {
            driver,
            objects,
            artifactsUrl,
            repository: join(directory, 'repo'),
            cpus,
            builtIns,
          }),
    openFleet: (driver, run) => openFleetExecutor({ driver, run, database, objects, logger: silentLogger }),
    clusters: { check: () => {}, open: () => Promise.reject(new Error('this project has no cluster')) },
    executor: 'local',
    ...others,
  };
  return {
    directory,
    deps,
    async close() {
      await database.close();
    },
  };
}

export function removeProject(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , directory = '', action = '', name = '', registryUrl, setting] = process.argv;
  // With a registry of its own given, tasks go to the fleet that serves it, unless the setting is another.
  const executor = setting === 'local' ? 'local' : 'fleet';
  const { deps, close } = await openPipelineProject(
    directory,
    registryUrl === undefined ? {} : { registryUrl, executor },
  );
  const onStart = (id: string): void => console.log(id);
  await (action === 'resume' ? resumeRun(deps, name) : runPipeline(deps, { pipeline: name, onStart }));
  await close();
}
