// Plain models by the command line, and a server of two workers that serves nothing else: nothing is applied.
// twin: test/unit/serving-plain-models.test.ts > a load that fails at once is tried again where it is asked for

import { expect, it } from 'vitest';
import { linearModel, zipMapModel } from '../support/onnx-model.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { send, testProject } from '../support/test-project.ts';

const project = testProject({
  'feature_repo/shop.ts': REPOSITORY,
  'one.onnx': linearModel(2),
  'two.onnx': linearModel(2, { scale: 2 }),
  'map.onnx': zipMapModel(),
});
const said = (text: string) => expect.stringContaining(text);

it('are registered, listed, named and retired as others are', () => {
  const told = { code: 0, stdout: said('adder version 1'), stderr: said('/v2/models/adder') };
  expect(project.run('models register adder one.onnx --metric auc=0.5')).toMatchObject(told);
  const next = { version: 2, aliases: ['next'] };
  expect(project.json('models register adder two.onnx --alias next')).toMatchObject(next);
  expect(project.json('models list')).toEqual({
    models: [{ name: 'adder', service: null, versions: 2, aliases: { next: 2 }, plain: true }],
  });
  expect(project.run('models show adder').stdout).toContain('x float32[N,2] → probability float32[N,1]');
  expect(project.json('models alias adder stable next')).toMatchObject({ version: 2 });
  expect(project.run('models retire adder 2')).toMatchObject({ code: 1, stderr: said('is in use') });
  for (const alias of ['stable', 'next']) project.json(`models unalias adder ${alias}`);
  expect(project.json('models retire adder 2')).toMatchObject({ version: 2, retired: true });
});

it.each([
  ['mapper map.onnx', 'HR_MODEL_SIGNATURE'],
  ['no/name one.onnx', 'HR_INVALID'],
  // What it was trained on is said of models with features alone.
  ['other one.onnx --service numbers', 'HR_'],
])('are refused where they are none to serve: %s', (words, why) => {
  expect(project.run(`models register ${words}`)).toMatchObject({ code: 1, stderr: said(why) });
  expect(project.json('models list')).toMatchObject({ models: [{ name: 'adder' }] });
});

it('are served with nothing applied, and unloaded by one worker for all', { timeout: 60_000 }, async () => {
  const { url, stop } = await project.serve('--workers 2');
  // Often enough that both workers are asked.
  const all = (path: string, status: number) => {
    const asked = () =>
      Promise.all(Array.from({ length: 12 }, () => fetch(url + path, { headers: { connection: 'close' } })));
    const statuses = async () => new Set((await asked()).map((answer) => answer.status));
    return expect.poll(statuses, { timeout: 20_000 }).toEqual(new Set([status]));
  };
  const post = async (path: string, body: unknown = {}) => await send(`${url}/v2/${path}`, body);
  await all('/v2/health/ready', 200);
  await all('/health/ready', 200);
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] }];
  const { body } = await post('models/adder/infer', { inputs });
  expect(body).toMatchObject({ model_version: '1', outputs: [{ data: [3] }] });
  expect((await post('repository/models/adder/unload')).status).toBe(200);
  await all('/v2/models/adder/ready', 503);
  expect((await post('repository/models/adder/load')).status).toBe(200);
  await all('/v2/models/adder/ready', 200);
  expect(await stop()).toBe(0);
});
