// A project served in this process: applied, with a model's first version, without a command line between.

import { createHash } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type App, applyRepository, openApp, readEnvironment, registerModelFile } from '../../src/app/index.ts';
import { type ServeOptions, type Serving, serveInProcess } from '../../src/app/serve-worker.ts';
import { type Logger, silentLogger } from '../../src/core/index.ts';
import { withFixedSeeds } from './fixed-seeds.ts';
import { constantModel } from './onnx-model.ts';
import { runFolder } from './run-folder.ts';
import { CONFIG, copyProject, createProject, type Project } from './serving-project.ts';

export interface OpenServing {
  readonly project: Project;
  readonly app: App;
  readonly serving: Serving;
  /** Sends JSON; gives the answer. */
  post(url: string, body: unknown, headers?: Readonly<Record<string, string>>): ReturnType<Inject>;
  close(): Promise<void>;
}

type Inject = (options: { method: 'POST'; url: string; headers: Record<string, string>; payload: string }) => Promise<{
  statusCode: number;
  headers: Record<string, unknown>;
  body: string;
  json(): Record<string, unknown> & {
    predictions: { prediction_id: string; features: object; statuses: object; outputs: object }[];
  };
}>;

/** Applies what lies in the project by an app of its own, as a command beside the server does. */
export async function applyBeside({ app: { environment } }: Pick<OpenServing, 'app'>): Promise<void> {
  const app = await openApp({ environment, logger: silentLogger });
  try {
    await applyRepository(app, { allowBreaking: true });
  } finally {
    await app.close();
  }
}

/** A project that lies there with its first version registered, served in this process; `close` removes it. */
export async function serveProject(project: Project): Promise<Pick<OpenServing, 'app' | 'serving' | 'close'>> {
  const environment = { ...readEnvironment({}), workingDirectory: project.directory };
  const app = await openApp({ environment, logger: silentLogger });
  const serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, hasDocs: false });
  return {
    app,
    serving,
    async close() {
      await serving.stop();
      await app.close();
      project.remove();
    },
  };
}

interface Applied {
  readonly repository: string;
  readonly features: number;
  readonly onnx?: Uint8Array;
  readonly settings?: Readonly<Record<string, string>>;
}

/** A project of its own; what is applied and registered in it is made once a run, where it lies in the project's folder. */
async function appliedProject(given: Applied): Promise<Project> {
  const onnx = given.onnx ?? constantModel(given.features, 0.25);
  const settings = given.settings ?? {};
  const run = runFolder();
  if (run === undefined || Object.keys(settings).some((name) => name.endsWith('_URL') || name.endsWith('_PATH')))
    return applyProject(given.repository, onnx, settings);
  const key = createHash('sha256').update(given.repository).update(onnx).update(JSON.stringify(settings)).digest('hex');
  const made = join(run, `applied-${key}`);
  if (!existsSync(made)) {
    const { directory } = await applyProject(given.repository, onnx, settings);
    try {
      renameSync(directory, made);
    } catch {
      // The run's other process was first.
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return copyProject(made);
}

async function applyProject(
  repository: string,
  onnx: Uint8Array,
  settings: Readonly<Record<string, string>>,
): Promise<Project> {
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': repository,
    'quarter.onnx': onnx,
  });
  const environment = { ...readEnvironment(settings), workingDirectory: project.directory };
  const app = await withFixedSeeds(await openApp({ environment, logger: silentLogger }));
  await applyRepository(app, {});
  await registerModelFile(app, { model: 'returns', onnx: Buffer.from(onnx) });
  await app.close();
  return project;
}

/** `repository` is TypeScript; `features` counts those of model `returns`, whose first version is `onnx`, or answers 0.25. */
export async function openServing(
  given: Applied & { readonly logger?: Logger; readonly serve?: Partial<ServeOptions> },
): Promise<OpenServing> {
  const project = await appliedProject(given);
  const environment = { ...readEnvironment(given.settings ?? {}), workingDirectory: project.directory };
  const app = await withFixedSeeds(await openApp({ environment, logger: given.logger ?? silentLogger }));
  const serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, hasDocs: false, ...given.serve });
  // Fastify's own type of `inject` has forms that the tests do not use.
  const inject = serving.server.inject.bind(serving.server) as unknown as Inject;
  return {
    project,
    app,
    serving,
    post: (url, body, headers = {}) =>
      inject({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json', ...headers },
        payload: JSON.stringify(body),
      }),
    async close() {
      await serving.stop();
      await app.close();
      project.remove();
    },
  };
}
