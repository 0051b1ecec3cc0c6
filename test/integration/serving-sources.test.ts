// Sources with columns derived in SQL, and versions registered with other features than today's service has.

import { afterEach, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { readFileSync } from 'node:fs';
import { applyRepository, openApp, readEnvironment, registerModelFile } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { constantModel } from '../support/onnx-model.ts';

let open: OpenServing | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

const minuteAgo = () => new Date(Date.now() - 60_000).toISOString();

describe('pushing into a source with columns derived in SQL', () => {
  const repository = REPOSITORY.replace('pushed, sum, t }', 'pushed, sql, sum, t }').replace(
    /derive: \{.*\},\n/,
    'derive: { is_big: [t.float64(), sql`CASE WHEN amount > 15 THEN 1 WHEN amount IS NOT NULL THEN 0 END`] },\n',
  );

  it('derives them as offline does, nulls, int64 and quotes included', async () => {
    open = await openServing({ repository, features: 4 });
    const row = (customer: string, amount: number | null) => ({ customer, amount, bought_at: minuteAgo() });
    const rows = [row('a"\'b', 20), row('a"\'b', 3), row('nil', null)];
    expect((await open.post('/v1/sources/purchases/push', { rows })).json()).toMatchObject({ accepted: 3 });
    const read = await open.post('/v1/features/read', {
      service: 'shop_features',
      rows: [{ customer: 'a"\'b' }, { customer: 'nil' }],
    });
    expect(read.json()).toMatchObject({
      rows: [
        { features: { history__purchases_1d: 2, history__big_7d: 1 } },
        { features: { history__purchases_1d: 1, history__big_7d: null } },
      ],
    });
  });

  it('refuses rows whose derived column fails, and keeps none of them', async () => {
    const failing = repository.replace(/sql`[^`]*`/, "sql`CAST('x' || customer AS DOUBLE)`");
    open = await openServing({ repository: failing, features: 4 });
    const rows = [{ customer: 'ada', amount: 1, bought_at: minuteAgo() }];
    const refused = await open.post('/v1/sources/purchases/push', { rows });
    expect(refused.json()).toMatchObject({ status: 422, code: 'HR_TRANSFORM_FAILED' });
    const read = await open.post('/v1/features/read', { service: 'numbers', rows: [{ customer: 'ada' }] });
    expect(read.json()).toMatchObject({ rows: [{ features: { history__purchases_1d: 0 } }] });
  });
});

it('serves each version with the features that it was registered with', async () => {
  open = await openServing({ repository: REPOSITORY, features: 4 });
  const { project, serving } = open;
  const rows = [{ customer: 'ada', amount: 20, bought_at: minuteAgo() }];
  await open.post('/v1/sources/purchases/push', { rows });
  // Today's service has two features; version 1 was registered with four.
  project.write(
    'feature_repo/shop.ts',
    REPOSITORY.replace("'purchases_1d', 'mean_7d', 'big_7d'), basket]", "'mean_7d', 'big_7d')]"),
  );
  project.write('three_quarters.onnx', constantModel(2, 0.75));
  const environment = { ...readEnvironment({}), workingDirectory: project.directory };
  const operator = await openApp({ environment, logger: silentLogger });
  try {
    const { endpoints } = await operator.registry();
    await applyRepository(operator, { allowBreaking: true });
    await registerModelFile(operator, { model: 'returns', onnx: readFileSync(project.file('three_quarters.onnx')) });
    const variants = [
      { name: 'stable', version: 1, weight: 50 },
      { name: 'candidate', version: 2, weight: 50 },
    ];
    await endpoints.setTraffic('checkout', { variants }, { actor: 'test' });
  } finally {
    await operator.close();
  }
  await serving.planes.control.refresh();
  const inputs = Array.from({ length: 60 }, (_, at) => ({ customer: at === 0 ? 'ada' : `c${at}`, amount: 10 }));
  const { predictions } = (
    await open.post('/v1/endpoints/checkout/predict', { inputs, options: { return_features: true } })
  ).json() as unknown as { predictions: { variant: string; outputs: { probability: number }; features: object }[] };
  expect(new Set(predictions.map(({ variant }) => variant))).toEqual(new Set(['stable', 'candidate']));
  for (const { variant, outputs, features } of predictions) {
    expect(outputs.probability).toBe(variant === 'stable' ? 0.25 : 0.75);
    expect(Object.keys(features)).toEqual(
      variant === 'stable'
        ? ['history__purchases_1d', 'history__mean_7d', 'history__big_7d', 'basket__ratio']
        : ['history__mean_7d', 'history__big_7d'],
    );
  }
  expect(predictions[0]?.features).toMatchObject({ history__mean_7d: 20 });
});
