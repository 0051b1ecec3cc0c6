// A project served in this process: applied, with a model's first version, without a command line between.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { InjectOptions } from 'fastify';
import { type App, applyRepository, openApp, readEnvironment, registerModelFile } from '../../src/app/index.ts';
import { type ServeOptions, type Serving, serveInProcess } from '../../src/app/serve-worker.ts';
import { type Logger, silentLogger } from '../../src/core/index.ts';
import { withFixedSeeds } from './fixed-seeds.ts';
import { constantModel } from './onnx-model.ts';
import { runFolder } from './run-folder.ts';
import { CONFIG, copyProject, createProject, keepMade, type Project, REPOSITORY } from './serving-project.ts';

export interface OpenServing {
  readonly project: Project;
  readonly app: App;
  readonly serving: Serving;
  post(url: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  get(url: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** The sum of the values in `/metrics` whose name and labels are or match this; NaN where there is none. */
  metric(line: string | RegExp): Promise<number>;
  close(): Promise<void>;
}

interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
  json(): Record<string, unknown> & {
    predictions: { prediction_id: string; features: object; statuses: object; outputs: object }[];
  };
}

type Inject = (
  options: Pick<InjectOptions, 'url' | 'headers' | 'payload'> & { method: 'POST' | 'GET' },
) => Promise<Answer>;

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
export async function serveProject(
  project: Project,
  serve: Partial<ServeOptions> = {},
): Promise<Pick<OpenServing, 'app' | 'serving' | 'close'>> {
  const environment = { ...readEnvironment({}), workingDirectory: project.directory };
  const app = await openApp({ environment, logger: silentLogger });
  const serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, hasDocs: false, ...serve });
  return { app, serving, close: () => close(project, app, serving) };
}

async function close(project: Project, app: App, serving: Serving): Promise<void> {
  await serving.stop();
  await app.close();
  project.remove();
}

interface Applied {
  /** TypeScript; the shop's where it is left out. */
  readonly repository?: string;
  /** How many model `returns` has; the shop's has 4. */
  readonly features?: number;
  /** Its first version; where it is left out, that answers 0.25. */
  readonly onnx?: Uint8Array;
  readonly settings?: Readonly<Record<string, string>>;
}

/** A project of its own; what is applied and registered in it is made once a run, where it lies in the project's folder. */
async function appliedProject(given: Applied): Promise<Project> {
  const { repository = REPOSITORY, features = 4, onnx = constantModel(features, 0.25), settings = {} } = given;
  const run = runFolder();
  if (run === undefined || Object.keys(settings).some((name) => name.endsWith('_URL') || name.endsWith('_PATH')))
    return applyProject(repository, onnx, settings);
  const key = createHash('sha256').update(repository).update(onnx).update(JSON.stringify(settings)).digest('hex');
  const made = join(run, `applied-${key}`);
  if (!existsSync(made)) keepMade((await applyProject(repository, onnx, settings)).directory, made);
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

export async function openServing(
  given: Applied & { readonly logger?: Logger; readonly serve?: Partial<ServeOptions> } = {},
): Promise<OpenServing> {
  const project = await appliedProject(given);
  const environment = { ...readEnvironment(given.settings ?? {}), workingDirectory: project.directory };
  const app = await withFixedSeeds(await openApp({ environment, logger: given.logger ?? silentLogger }));
  const serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, hasDocs: false, ...given.serve });
  // Fastify's own type of `inject` has forms that the tests do not use.
  const inject = serving.server.inject.bind(serving.server) as unknown as Inject;
  const json = { 'content-type': 'application/json' };
  return {
    project,
    app,
    serving,
    post: (url, body, headers = {}) =>
      inject({ method: 'POST', url, headers: { ...json, ...headers }, payload: JSON.stringify(body) }),
    get: (url, headers = {}) => inject({ method: 'GET', url, headers }),
    async metric(line) {
      const { body } = await inject({ method: 'GET', url: '/metrics' });
      const values = [...body.matchAll(/^(\w.*) (\S+)$/gm)]
        .filter(([, name = '']) => (typeof line === 'string' ? name === line : line.test(name)))
        .map(([, , value]) => Number(value));
      return values.length === 0 ? NaN : values.reduce((sum, value) => sum + value);
    },
    close: () => close(project, app, serving),
  };
}
