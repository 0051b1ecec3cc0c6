// Sources with columns derived in SQL, and versions registered with other features than today's service has.

import { describe, expect, it } from 'vitest';
import { applyRepository, registerModelFile } from '../../src/app/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { openForTest, withOperator } from '../support/open-for.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const row = (customer: string, amount: number | null) => ({
  customer,
  amount,
  bought_at: new Date(Date.now() - 60_000).toISOString(),
});

describe('pushing into a source with columns derived in SQL', () => {
  const deriving = (sql: string) =>
    REPOSITORY.replace('pushed, sum, t }', 'pushed, sql, sum, t }').replace(
      /derive: \{.*\},\n/,
      `derive: { is_big: [t.float64(), sql\`${sql}\`] },\n`,
    );
  const serve = async (sql: string) => {
    const { post } = await openForTest({ repository: deriving(sql), features: 4 });
    const push = async (...rows: object[]) => (await post('/v1/sources/purchases/push', { rows })).json();
    const read = async (...customers: string[]) => {
      const rows = customers.map((customer) => ({ customer }));
      return (await post('/v1/features/read', { service: 'shop_features', rows })).json();
    };
    return { push, read };
  };

  it('derives them as offline does, nulls, int64 and quotes included', async () => {
    const { push, read } = await serve('CASE WHEN amount > 15 THEN 1 WHEN amount IS NOT NULL THEN 0 END');
    expect(await push(row('a"\'b', 20), row('a"\'b', 3), row('nil', null))).toMatchObject({ accepted: 3 });
    expect(await read('a"\'b', 'nil')).toMatchObject({
      rows: [
        { features: { history__purchases_1d: 2, history__big_7d: 1 } },
        { features: { history__purchases_1d: 1, history__big_7d: null } },
      ],
    });
  });

  it('refuses rows whose derived column fails, and keeps none of them', async () => {
    const { push, read } = await serve("CAST('x' || customer AS DOUBLE)");
    expect(await push(row('ada', 1))).toMatchObject({ status: 422, code: 'HR_TRANSFORM_FAILED' });
    expect(await read('ada')).toMatchObject({ rows: [{ features: { history__purchases_1d: 0 } }] });
  });
});

it('serves each version with the features that it was registered with', async () => {
  const open = await openForTest({ repository: REPOSITORY, features: 4 });
  await open.post('/v1/sources/purchases/push', { rows: [row('ada', 20)] });
  // Today's service has two features; version 1 was registered with four.
  const two = REPOSITORY.replace("'purchases_1d', 'mean_7d', 'big_7d'), basket]", "'mean_7d', 'big_7d')]");
  open.project.write('feature_repo/shop.ts', two);
  await withOperator(open, async (app) => {
    await applyRepository(app, { allowBreaking: true });
    await registerModelFile(app, { model: 'returns', onnx: Buffer.from(constantModel(2, 0.75)) });
    const variants = Object.entries({ stable: 1, candidate: 2 }).map(([name, version]) => ({
      name,
      version,
      weight: 50,
    }));
    await (await app.registry()).endpoints.setTraffic('checkout', { variants }, { actor: 'test' });
  });
  await open.serving.planes.control.refresh();
  const inputs = Array.from({ length: 60 }, (_, at) => ({ customer: at === 0 ? 'ada' : `c${at}`, amount: 10 }));
  const asked = { inputs, options: { return_features: true } };
  const { predictions } = (await open.post('/v1/endpoints/checkout/predict', asked)).json();
  const told = predictions.map((one) => {
    const { variant, outputs, features } = one as unknown as { variant: string; outputs: object; features: object };
    return JSON.stringify([variant, outputs, Object.keys(features)]);
  });
  const [mean, big] = ['history__mean_7d', 'history__big_7d'];
  expect(new Set(told)).toEqual(
    new Set([
      JSON.stringify(['stable', { probability: 0.25 }, ['history__purchases_1d', mean, big, 'basket__ratio']]),
      JSON.stringify(['candidate', { probability: 0.75 }, [mean, big]]),
    ]),
  );
  expect(predictions[0]?.features).toMatchObject({ history__mean_7d: 20 });
});
