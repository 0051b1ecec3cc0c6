// A project opened in this process whose pipelines run with all that the app gives to steps.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { applyRepository, openApp, openOrchestrator, readEnvironment } from '../../src/app/index.ts';
import { createBuiltIns } from '../../src/app/steps/built-ins.ts';
import { silentLogger } from '../../src/core/index.ts';
import { drive } from '../../src/orchestrator/drive.ts';
import { firstRows, graphOf } from '../../src/orchestrator/engine/graph.ts';
import { findPipeline } from '../../src/orchestrator/find-pipeline.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import {
  getRun,
  newOwner,
  type OrchestratorDeps,
  readOrder,
  runLogs,
  resumeRun,
  runPipeline,
  whyStep,
} from '../../src/orchestrator/index.ts';
import { putBlob } from '../../src/storage/index.ts';
import { createInlineExecutor } from './inline-executor.ts';
import { CONFIG, createProject, type Project } from './serving-project.ts';

export type StepProject = Awaited<ReturnType<typeof openStepProject>>;

/**
 * `data`: each a file below `feature_repo/data`, made from a query. Files are by their path in the repository. `isInline`: functions run
 * in this process, and scripts do not run.
 */
export async function openStepProject(given: {
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly data?: Readonly<Record<string, string>>;
  readonly isInline?: boolean;
}) {
  const project = createProject({ 'headrace.config.ts': CONFIG });
  const write = async ({ files = {}, data = {} }: Partial<Pick<typeof given, 'files' | 'data'>>): Promise<void> => {
    for (const [name, content] of Object.entries(files)) {
      const text = typeof content === 'string' ? content.replaceAll('__PROJECT__', project.directory) : content;
      project.write(`feature_repo/${name}`, text);
    }
    await writeData(project, data);
  };
  await write(given);
  const environment = { ...readEnvironment({ ...process.env }), workingDirectory: project.directory };
  const open = async (request: Parameters<typeof applyRepository>[1] = {}) => {
    const opened = await openApp({ environment, logger: silentLogger });
    await applyRepository(opened, request);
    return opened;
  };
  let app = await open();
  const deps = async (): Promise<OrchestratorDeps> => {
    const opened = await openOrchestrator(app, {});
    const { objects, workDirectory } = opened;
    const repository = opened.definitions.directory;
    const inline = () => createInlineExecutor({ objects, workDirectory, repository, builtIns: createBuiltIns(app) });
    return given.isInline === true ? { ...opened, openExecutor: inline } : opened;
  };
  return {
    project,
    get app() {
      return app;
    },
    /** Writes files and data over those that there are, and applies the repository as a later process does. */
    async change(to: Parameters<typeof write>[0], request: Parameters<typeof applyRepository>[1] = {}) {
      await write(to);
      await app.close();
      app = await open(request);
    },
    /** Runs a pipeline to its end. */
    run: async (pipeline: string, params: Readonly<Record<string, string>> = {}) =>
      runPipeline(await deps(), { pipeline, params }),
    /** Makes a run by what is applied, which somebody else drives later. */
    async queue(pipeline: string) {
      const { definitions, database, clock } = await deps();
      const spec = findPipeline(definitions, pipeline);
      const store = await openRunStore(database, clock);
      const of = { pipeline: spec, params: {}, manifestHash: definitions.hash, keepGoing: false };
      const { id } = await store.create({ ...of, state: 'queued', steps: firstRows(graphOf(spec)) });
      return id;
    },
    /** As a scheduler takes such a run, or one whose driver died. */
    async drive(id: string) {
      const opened = await deps();
      const store = await openRunStore(opened.database, opened.clock);
      const driver = newOwner();
      await drive(opened, store, id, driver, await store.take(id, driver));
      return await getRun(opened, id);
    },
    why: async (id: string, step: string) => whyStep(await deps(), id, step),
    /** Of a step at the top of its pipeline. */
    orderOf: async (id: string, step: string) => {
      const { objects, database, clock } = await deps();
      const { steps } = await (await openRunStore(database, clock)).get(id);
      return await readOrder(objects, steps.find((row) => row.step === step)?.order ?? '');
    },
    resume: async (id: string) => resumeRun(await deps(), id),
    /** What its steps said, one text. */
    logs: async (id: string) => {
      const texts: string[] = [];
      for await (const { text } of runLogs(await deps(), id)) texts.push(text);
      return texts.join('\n');
    },
    /** A file in the artifact store; gives its hash. */
    put: async (bytes: Uint8Array) => await putBlob(await app.objects(), bytes),
    async close() {
      await app.close();
      project.remove();
    },
  };
}

async function writeData(project: Project, queries: Readonly<Record<string, string>>): Promise<void> {
  if (Object.keys(queries).length === 0) return;
  mkdirSync(join(project.directory, 'feature_repo/data'), { recursive: true });
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    for (const [name, sql] of Object.entries(queries)) {
      const path = join(project.directory, 'feature_repo/data', name);
      await connection.run(`COPY (${sql}) TO '${path}' (FORMAT PARQUET)`);
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
