// A project served in this process: applied, with a model's first version, without a command line between.

import { readFileSync } from 'node:fs';
import { type App, applyRepository, openApp, readEnvironment, registerModelFile } from '../../src/app/index.ts';
import { type ServeOptions, type Serving, serveInProcess } from '../../src/app/serve-worker.ts';
import { type Logger, silentLogger } from '../../src/core/index.ts';
import { withFixedSeeds } from './fixed-seeds.ts';
import { constantModel } from './onnx-model.ts';
import { CONFIG, createProject, type Project } from './serving-project.ts';

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

/** `repository` is TypeScript; `features` counts those of model `returns`, whose first version is `onnx`, or answers 0.25. */
export async function openServing(given: {
  readonly repository: string;
  readonly features: number;
  readonly onnx?: Uint8Array;
  readonly settings?: Readonly<Record<string, string>>;
  readonly logger?: Logger;
  readonly serve?: Partial<ServeOptions>;
}): Promise<OpenServing> {
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': given.repository,
    'quarter.onnx': given.onnx ?? constantModel(given.features, 0.25),
  });
  const environment = { ...readEnvironment(given.settings ?? {}), workingDirectory: project.directory };
  const app = await withFixedSeeds(await openApp({ environment, logger: given.logger ?? silentLogger }));
  await applyRepository(app, {});
  await registerModelFile(app, { model: 'returns', onnx: readFileSync(project.file('quarter.onnx')) });
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
