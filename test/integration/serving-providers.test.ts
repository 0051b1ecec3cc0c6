// Models of a server whose providers are not here: they are not loaded, whoever asks is told why, and the others serve.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { HeadraceError, type Logger, silentLogger } from '../../src/core/index.ts';
import { type App, examine, readEnvironment } from '../../src/app/index.ts';
import { registerPlainModel } from '../../src/app/register-plain-model.ts';
import { lookAtProviders } from '../../src/app/look-at-providers.ts';
import { linearModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const logged: object[] = [];
const logger: Logger = { ...silentLogger, debug: (fields) => void logged.push(fields as object) };
let open: OpenServing;
beforeAll(async () => {
  open = await openServing({
    repository: REPOSITORY,
    features: 4,
    logger,
    // Of a system of another maker, so that no machine that runs this has it.
    settings: { HEADRACE_MODELS_PROVIDERS: '{"returns": ["coreml", "cpu"], "elsewhere": ["coreml"]}' },
  });
  await registerPlainModel(open.app, { model: 'elsewhere', onnx: linearModel(2) });
  await registerPlainModel(open.app, { model: 'here', onnx: linearModel(2) });
});
afterAll(() => open.close());

const infer = (model: string) =>
  open.post(`/v2/models/${model}/infer`, { inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] }] });

it('an endpoint says what its model wants and what there is, and predicts nothing in its place', async () => {
  const reason = /version 1 of model "returns": the execution provider "coreml" is not available here: .* It has cpu/;
  const health = await open.serving.server.inject('/health/ready');
  expect(health.statusCode).toBe(503);
  expect(health.body).toMatch(/coreml/);
  const answer = await open.post('/v1/endpoints/checkout/predict', { inputs: [{ customer: 'ada', amount: 1 }] });
  expect(answer.statusCode).toBe(503);
  const endpoint = await open.serving.server.inject('/v1/endpoints/checkout');
  expect((endpoint.json() as { reason: string }).reason).toMatch(reason);
});

it('a model without a definition runs as the setting says of its name, on the CPU where that says nothing', async () => {
  await expect.poll(async () => (await infer('here')).statusCode).toBe(200);
  const answer = await infer('elsewhere');
  expect(answer.statusCode).toBe(503);
  expect(answer.body).toMatch(/\\"coreml\\" is not available here/);
  const status = (await open.serving.server.inject('/v1/status')).json() as { models: { loaded: object[] } };
  expect(status.models.loaded).toMatchObject([{ providers: ['cpu'], nodes_by_provider: { cpu: 1 } }]);
  const metrics = (await open.serving.server.inject('/metrics')).body;
  expect(logged).toContainEqual(expect.objectContaining({ providers: ['cpu'], nodesByProvider: { cpu: 1 } }));
  expect(metrics).toMatch(/^headrace_model_nodes\{model="here",version="1",provider="cpu"\} 1$/m);
});

const withProviders = (providers: Readonly<Record<string, readonly string[]>>): App => ({
  ...open.app,
  config: { ...open.app.config, values: { ...open.app.config.values, 'models.providers': providers } },
});

it('the doctor says which names of the setting are no models', async () => {
  const app = withProviders({ returns: ['cpu'], here: ['cpu'], '*': ['cpu'], heer: ['cpu'], 'not yet': ['cpu'] });
  expect(await lookAtProviders(app, true)).toEqual([
    {
      check: 'models.providers',
      state: 'warn',
      says: 'names "heer", and there is no such model. Did you mean "here"?',
      fix: expect.stringContaining('*'),
    },
    {
      check: 'models.providers',
      state: 'warn',
      says: 'names "not yet", and there is no such model.',
      fix: expect.anything(),
    },
  ]);
});

it('the doctor tries what the setting names, whatever can be read besides', async () => {
  const app = { ...withProviders({ '*': ['coreml', 'cpu'] }), registry: () => Promise.reject(new Error('away')) };
  expect(await lookAtProviders(app, false)).toMatchObject([{ check: 'provider coreml', state: 'fail' }]);
  const artifacts = new HeadraceError('HR_CONFIG', 'an object store URL is "file:PATH" or "s3://BUCKET/PREFIX"');
  const findings = await examine(
    async () => ({ ...open.app, objects: () => Promise.reject(artifacts) }),
    readEnvironment({}),
  );
  const states = findings.map(({ check, state }) => `${check}: ${state}`);
  expect(states).toContain('artifacts: fail');
  expect(states).toContain('provider coreml: fail');
  expect(states).toContain('disk: ok');
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
