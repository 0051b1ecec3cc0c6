// A model that a run registered by another registry: the registry that the run is synced into has it too, once.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSync } from '../../src/app/index.ts';
import { commitResult } from '../../src/orchestrator/committed/stored-result.ts';
import { prepareElsewhere, syncRun } from '../../src/orchestrator/index.ts';
import { putBlob } from '../../src/storage/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { openStepProject, type StepProject } from '../support/step-project.ts';

let made: StepProject;

beforeAll(async () => {
  made = await openStepProject({
    files: {
      'shop.ts': `
        import { entity, featureService, featureView, latest, model, parquet, pipeline, registerModel, shell, t } from 'headrace';
        const shop = entity('shop', { keys: { shop: t.string() } });
        const sales = parquet('sales', {
          path: 'data/sales.parquet',
          columns: { shop: t.string(), amount: t.float64(), at: t.timestamp() },
          eventTime: 'at',
        });
        export const totals = featureView('totals', { entity: shop, source: sales, features: { last: latest('amount') } });
        export const returns = model('returns', { features: featureService('shop_features', [totals]), outputs: { probability: t.float32() } });
        const p = pipeline('train');
        const fit = p.step('fit', shell('true'));
        p.step('register', registerModel(returns, { alias: 'champion' }), { needs: { fit } });
        export default p;`,
    },
    data: { 'sales.parquet': `SELECT 'a' AS shop, 3.0::DOUBLE AS amount, TIMESTAMP '2026-01-05 10:00:00' AS at` },
  });
}, 60_000);
afterAll(() => made.close());

it('is registered once, with its run and metrics, and no alias moves', { timeout: 60_000 }, async () => {
  const { app } = made;
  const deps = await openSync(app);
  const { objects } = deps;
  const { id } = await prepareElsewhere(
    { ...deps, definitions: await app.applied() },
    { pipeline: 'train', by: 'argo' },
  );
  const onnx = await putBlob(objects, Buffer.from(constantModel(1, 0.75)));
  const commit = (step: string, value: unknown) =>
    commitResult(
      objects,
      { run: id, step, scope: '', index: 0 },
      { attempt: 1, output: { json: JSON.stringify(value) }, files: {} },
    );
  await commit('fit', { auc: 0.75, files: { 'model.onnx': { sha256: onnx, size: 1, uri: `blob:${onnx}` } } });
  await commit('register', { model: 'returns', version: 41, artifact: onnx, metrics: { auc: 0.75 } });
  expect(await syncRun(deps, id)).toMatchObject({
    state: 'succeeded',
    problems: [],
    models: [{ model: 'returns', version: 1, isNew: true }],
  });
  const { models } = await app.registry();
  expect(await models.versions('returns')).toMatchObject([
    { version: 1, runId: id, artifact: onnx, metrics: { auc: 0.75 } },
  ]);
  expect((await models.list())[0]?.aliases).toEqual({});
  // Killed before its row was there, it comes to it again.
  expect(await deps.registerModel?.({ model: 'returns', artifact: onnx, metrics: {}, runId: id })).toEqual({
    version: 1,
    isNew: false,
  });
});
