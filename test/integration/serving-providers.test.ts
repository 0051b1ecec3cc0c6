// Models of a server whose providers are not here: they are not loaded, whoever asks is told why, and the others serve.

import { expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { type App, examine, readEnvironment } from '../../src/app/index.ts';
import { registerPlainModel } from '../../src/app/register-plain-model.ts';
import { lookAtProviders } from '../../src/app/look-at-providers.ts';
import { linearModel } from '../support/onnx-model.ts';
import { openForAll, recordLog } from '../support/open-for.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const { logger, lines } = recordLog();
const settings = {
  // Of a system of another maker, so that no machine that runs this has it.
  HEADRACE_MODELS_PROVIDERS: '{"returns": ["coreml", "cpu"], "elsewhere": ["coreml"]}',
  HEADRACE_MODELS_MEMORY: '64MiB',
};
const open = openForAll({ repository: REPOSITORY, features: 4, logger, settings }, async ({ app }) => {
  for (const model of ['elsewhere', 'here']) await registerPlainModel(app, { model, onnx: linearModel(2) });
});

const infer = (model: string) =>
  open.post(`/v2/models/${model}/infer`, { inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] }] });

it('an endpoint says what its model wants and what there is, and predicts nothing in its place', async () => {
  const reason = /version 1 of model "returns": the execution provider "coreml" is not available here: .* It has cpu/;
  const health = await open.serving.server.inject('/health/ready');
  expect([health.statusCode, health.body]).toEqual([503, expect.stringMatching(/coreml/)]);
  const answer = await open.post('/v1/endpoints/checkout/predict', { inputs: [{ customer: 'ada', amount: 1 }] });
  expect(answer.statusCode).toBe(503);
  expect((await open.serving.server.inject('/v1/endpoints/checkout')).json().reason).toMatch(reason);
});

it('a model without a definition runs as the setting says of its name, on the CPU where that says nothing', async () => {
  await expect.poll(async () => (await infer('here')).statusCode).toBe(200);
  const answer = await infer('elsewhere');
  expect(answer.statusCode).toBe(503);
  expect(answer.body).toMatch(/\\"coreml\\" is not available here/);
  expect(lines).toContainEqual(expect.objectContaining({ providers: ['cpu'], nodesByProvider: { cpu: 1 } }));
  const metrics = (await open.serving.server.inject('/metrics')).body;
  expect(metrics).toMatch(/^headrace_model_nodes\{model="here",version="1",provider="cpu"\} 1$/m);
});

it('the status tells which models are loaded, by whom they are held and what they take', async () => {
  const { models } = (await open.serving.server.inject('/v1/status')).json();
  // Those of the others failed.
  expect(models.loads - models.failed_loads).toBe(1);
  const held = {
    state: 'ready',
    holders: 1,
    placement: 'inline',
    providers: ['cpu'],
    nodes_by_provider: { cpu: 1 },
    shares_runs: true,
  };
  const memory = 2 * linearModel(2).byteLength;
  const loaded = [{ ...held, artifact: expect.stringMatching(/^[0-9a-f]{64}$/), memory_bytes: memory }];
  expect(models).toMatchObject({ limit_bytes: 64 * 1024 ** 2, evictions: 0, memory_bytes: memory, loaded });
});

const withProviders = (providers: Readonly<Record<string, readonly string[]>>): App => ({
  ...open.app,
  config: { ...open.app.config, values: { ...open.app.config.values, 'models.providers': providers } },
});

it('the doctor says which names of the setting are no models', async () => {
  const app = withProviders({ returns: ['cpu'], here: ['cpu'], '*': ['cpu'], heer: ['cpu'], 'not yet': ['cpu'] });
  const warned = { check: 'models.providers', state: 'warn', fix: expect.stringContaining('*') };
  expect(await lookAtProviders(app, true)).toEqual([
    { ...warned, says: 'names "heer", and there is no such model. Did you mean "here"?' },
    { ...warned, says: 'names "not yet", and there is no such model.', fix: expect.anything() },
  ]);
});

it('the doctor tries what the setting names, whatever can be read besides', async () => {
  const app = { ...withProviders({ '*': ['coreml', 'cpu'] }), registry: () => Promise.reject(new Error('away')) };
  expect(await lookAtProviders(app, false)).toMatchObject([{ check: 'provider coreml', state: 'fail' }]);
  const artifacts = new HeadraceError('HR_CONFIG', 'an object store URL is "file:PATH" or "s3://BUCKET/PREFIX"');
  const away = { ...open.app, objects: () => Promise.reject(artifacts) };
  const states = (await examine(async () => away, readEnvironment({}))).map(({ check, state }) => `${check}: ${state}`);
  expect(states).toEqual(expect.arrayContaining(['artifacts: fail', 'provider coreml: fail', 'disk: ok']));
});

it('the doctor says which providers can’t be had, and who wants them', async () => {
  expect(await lookAtProviders(open.app, true)).toEqual([
    {
      check: 'provider coreml',
      state: 'fail',
      says: expect.stringMatching(/not available here: .* \(for models\.providers, model "returns"\)$/),
      fix: expect.stringContaining('docs/guides/gpu.md'),
    },
  ]);
});
