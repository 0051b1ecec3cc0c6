// A run that is driven after something else was applied: its steps go by the definitions of its own revision.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { openStepProject, type StepProject } from '../support/step-project.ts';

const MODEL = constantModel(1, 0.75);
const FILE = createHash('sha256').update(MODEL).digest('hex');

/** `feature`: the view's only one, as one revision has it. `served`: the endpoint's model. */
const definitions = (feature: string, served = 'plain'): string => `
  import { endpoint, entity, featureService, featureView, latest, mean, model, parquet, t } from 'headrace';
  export const shop = entity('shop', { keys: { shop: t.string() } });
  export const sales = parquet('sales', {
    path: 'data/sales.parquet',
    columns: { shop: t.string(), amount: t.float64(), at: t.timestamp() },
    eventTime: 'at',
  });
  export const totals = featureView('totals', { entity: shop, source: sales, features: { ${feature} } });
  export const shopFeatures = featureService('shop_features', [totals]);
  export const plain = model('plain', { features: shopFeatures, outputs: { probability: t.float32() } });
  export const other = model('other', { features: shopFeatures, outputs: { probability: t.float32() } });
  export const shops = endpoint('shops', { model: ${served}, unit: ['shop'] });`;
const pipelines = (served = 'plain'): string => `
  import { materialize, pipeline, promote, registerModel, task, trainingSet } from 'headrace';
  import { other, plain, shopFeatures, shops, totals } from './shop.ts';
  const p = pipeline('learn');
  const data = p.step('data', trainingSet({ service: shopFeatures, spine: 'data/spine.parquet', timestamp: 'seen', label: 'late' }));
  const fit = p.step('fit', task(() => ({ files: { 'model.onnx': { sha256: '${FILE}' } } })), { needs: { data } });
  p.step('register', registerModel(plain), { needs: { data, fit } });
  const named = p.step('named', materialize({ views: [totals] }));
  p.step('all', materialize(), { needs: { named } });
  const roll = pipeline('roll');
  const picked = roll.step('picked', task(() => ({ model: '${served}', version: 2 })));
  roll.step('promoted', promote(${served}, { endpoint: shops }), { needs: { picked } });
  export { p as default, roll };`;

let made: StepProject;
beforeAll(async () => {
  made = await openStepProject({
    files: { 'shop.ts': definitions(`last_amount: latest('amount')`), 'pipelines.ts': pipelines() },
    data: {
      'sales.parquet': `SELECT 'a' AS shop, 3.0::DOUBLE AS amount, TIMESTAMP '2026-01-05 10:00:00' AS at`,
      'spine.parquet': `SELECT 'a' AS shop, TIMESTAMP '2026-01-07 10:00:00' AS seen, true AS late`,
    },
    isInline: true,
  });
  await made.put(MODEL);
});
afterAll(() => made.close());

const resultsOf = (run: { readonly steps: readonly { readonly name: string; readonly result?: unknown }[] }) =>
  Object.fromEntries(run.steps.map(({ name, result }) => [name, result]));

it('goes by the views, services and models of its own revision, and so does what is made of them', async () => {
  const before = (await made.app.applied()).hash;
  const id = await made.queue('learn');
  await made.change({ files: { 'shop.ts': definitions(`newest: mean('amount').over('7d')`) } });
  expect((await made.app.applied()).hash).not.toBe(before);
  const run = await made.drive(id);
  expect(run.state, run.error ?? '').toBe('succeeded');
  const results = resultsOf(run) as Record<string, { features: string[]; version: number; views: object }>;
  expect(results['data']?.features).toEqual(['totals__last_amount']);
  expect(await (await made.app.registry()).models.get('plain', results['register']?.version ?? 0)).toMatchObject({
    manifestHash: before,
  });
  // Of a view whose version is not the one that is applied, that version is filled, and no other.
  for (const step of ['named', 'all'])
    expect(Object.keys(results[step]?.views ?? {})).toEqual([expect.stringMatching(/^totals@[0-9a-f]{12}$/)]);
  const after = resultsOf(await made.run('learn')) as typeof results;
  expect(after['data']?.features).toEqual(['totals__newest']);
  expect(Object.keys(after['named']?.views ?? {})).toContain('totals');
});

it('starts no rollout of another model’s version where the endpoint serves that model since', async () => {
  const revision = (served: string) => ({
    files: { 'shop.ts': definitions(`newest: mean('amount').over('7d')`, served), 'pipelines.ts': pipelines(served) },
  });
  await made.change(revision('plain'));
  const id = await made.queue('roll');
  await made.change(revision('other'), { allowBreaking: true });
  for (const score of [0.25, 0.5])
    for (const model of ['plain', 'other']) await registerModelFile(made.app, { model, onnx: constantModel(1, score) });
  await expect(made.drive(id)).rejects.toThrow(
    '"shops" serves model "other" by now, and version 2 is one of model "plain"',
  );
  expect(await (await made.app.rollouts()).list({ endpoint: 'shops' })).toEqual([]);
});
