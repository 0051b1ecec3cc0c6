// Plain models by the command line, and a server of two workers that serves nothing else: nothing is applied.
// twin: test/unit/serving-plain-models.test.ts > a load that fails at once is tried again where it is asked for

import { afterAll, beforeAll, expect, it } from 'vitest';
import { linearModel, zipMapModel } from '../support/onnx-model.ts';
import {
  CONFIG,
  createProject,
  headrace,
  headraceJson,
  type Project,
  REPOSITORY,
  startServe,
} from '../support/serving-project.ts';

let project: Project;

beforeAll(() => {
  project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': REPOSITORY,
    'one.onnx': linearModel(2),
    'two.onnx': linearModel(2, { scale: 2 }),
    'map.onnx': zipMapModel(),
  });
});
afterAll(() => project.remove());

it('are registered, listed, named and retired as others are', () => {
  expect(headrace(project, ['models', 'register', 'adder', 'one.onnx', '--metric', 'auc=0.5'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('adder version 1'),
    stderr: expect.stringContaining('/v2/models/adder'),
  });
  expect(headraceJson(project, ['models', 'register', 'adder', 'two.onnx', '--alias', 'next'])).toMatchObject({
    version: 2,
    aliases: ['next'],
  });
  expect(headraceJson(project, ['models', 'list'])).toEqual({
    models: [{ name: 'adder', service: null, versions: 2, aliases: { next: 2 }, plain: true }],
  });
  expect(headrace(project, ['models', 'show', 'adder']).stdout).toContain('x float32[N,2] → probability float32[N,1]');
  expect(headraceJson(project, ['models', 'alias', 'adder', 'stable', 'next'])).toMatchObject({ version: 2 });
  expect(headrace(project, ['models', 'retire', 'adder', '2'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is in use'),
  });
  for (const alias of ['stable', 'next']) headraceJson(project, ['models', 'unalias', 'adder', alias]);
  expect(headraceJson(project, ['models', 'retire', 'adder', '2'])).toMatchObject({ version: 2, retired: true });
});

it('are refused where the file is none to serve', () => {
  expect(headrace(project, ['models', 'register', 'mapper', 'map.onnx'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('HR_MODEL_SIGNATURE'),
  });
  expect(headrace(project, ['models', 'register', 'no/name', 'one.onnx']).stderr).toContain('HR_INVALID');
  // What it was trained on is said of models with features alone.
  expect(headrace(project, ['models', 'register', 'other', 'one.onnx', '--service', 'numbers']).code).toBe(1);
  expect(headraceJson(project, ['models', 'list'])).toMatchObject({ models: [{ name: 'adder' }] });
});

it('are served with nothing applied, and unloaded by one worker for all', async () => {
  const server = await startServe(project, ['--workers', '2']);
  try {
    const statusOf = async (path: string, method = 'GET'): Promise<number> => {
      // A connection of its own, so that both workers are asked.
      const response = await fetch(`${server.url}${path}`, { method, headers: { connection: 'close' } });
      await response.arrayBuffer();
      return response.status;
    };
    const statuses = (path: string): Promise<number[]> => Promise.all(Array.from({ length: 12 }, () => statusOf(path)));
    await until(async () => (await statuses('/v2/health/ready')).every((status) => status === 200));
    expect(await statusOf('/health/ready')).toBe(200);
    const response = await fetch(`${server.url}/v2/models/adder/infer`, {
      method: 'POST',
      body: '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]}',
    });
    expect(await response.json()).toMatchObject({ model_version: '1', outputs: [{ data: [3] }] });
    expect(await statusOf('/v2/repository/models/adder/unload', 'POST')).toBe(200);
    await until(async () => (await statuses('/v2/models/adder/ready')).every((status) => status === 503));
    expect(await statusOf('/v2/repository/models/adder/load', 'POST')).toBe(200);
    await until(async () => (await statuses('/v2/models/adder/ready')).every((status) => status === 200));
  } finally {
    expect(await server.stop()).toBe(0);
  }
}, 60_000);

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + 20_000;
  while (!(await isSo())) {
    if (performance.now() > untilMs) throw new Error('it did not come to that within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
