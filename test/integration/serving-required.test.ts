// What rows of requests must carry, may lack, and stand for, from the definitions to the answer and the log: versions from
// before the definitions changed included.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type App, applyRepository, registerModelFile } from '../../src/app/index.ts';
import { passThroughModel } from '../support/onnx-model.ts';
import { openForAll, queryLog, withOperator } from '../support/open-for.ts';

/** `amount`, `shop`: the types of the request column and the key. */
const repository = (amount: string, shop = `t.string().default('main')`): string => `
import { count, endpoint, entity, featureService, featureView, latest, model, onDemandView, pushed, t } from 'headrace';
export const customer = entity('customer', { keys: { customer: t.string() } });
export const shop = entity('shop', { keys: { shop: ${shop} } });
export const visitor = entity('visitor', { keys: { visitor: t.int64().optional() } });
export const purchases = pushed('purchases', {
  columns: { customer: t.string(), shop: t.string(), visitor: t.int64(), points: t.int64(), label: t.string(), at: t.timestamp() }, eventTime: 'at' });
export const history = featureView('history', { entity: customer, source: purchases, features: { bought_1d: count().over('1d') } });
export const shops = featureView('shops', { entity: shop, source: purchases, features: { sold_1d: count().over('1d') } });
export const visits = featureView('visits', { entity: visitor, source: purchases, features: { last_points: latest('points') } });
export const basket = onDemandView('basket', {
  inputs: { request: { amount: ${amount}, rate: t.float64().default(2), note: t.string().optional() } },
  features: { paid: t.float64(), has_note: t.bool() },
  transform: ({ request }) => ({
    paid: request.amount == null || request.rate == null ? null : request.amount * request.rate, has_note: request.note != null }),
});
export const features = featureService('all', [history, shops, visits, basket]);
export const returns = model('returns', { features, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
export const labels = featureView('labels', { entity: customer, source: purchases, features: {
  label: latest('label').default('none'), points: latest('points').default(7n) } });
export const labelled = featureService('labelled', [labels]);
export const echo = model('echo', { features: labelled, outputs: { seen: t.int64() } });
export const repeat = endpoint('repeat', { model: echo, unit: ['customer'] });
`;

const open = openForAll({ repository: repository('t.float64()'), features: 5 }, async ({ app, serving, post }) => {
  const onnx = passThroughModel([{ name: 'labels__points', type: 'int64', shape: [null, 1] }]);
  await registerModelFile(app, { model: 'echo', onnx });
  await serving.planes.control.refresh();
  const at = new Date(Date.now() - 60_000).toISOString();
  const rows = [
    { customer: 'ada', shop: 'main', visitor: 5, points: 3, at },
    { customer: 'bob', shop: 'side', visitor: 6, points: 4, at },
    { customer: 'eve', shop: 'main', visitor: 6, points: 9, at },
  ];
  expect((await post('/v1/sources/purchases/push', { rows })).statusCode).toBe(200);
});

const predict = (inputs: unknown, endpoint = 'checkout') =>
  open.post(`/v1/endpoints/${endpoint}/predict`, { inputs, options: { return_features: true } });
const read = (rows: unknown) => open.post('/v1/features/read', { service: 'all', rows });
const told = (answer: { json(): Record<string, unknown> }): string[] =>
  (answer.json()['errors'] as { path: string }[]).map(({ path }) => path);
const ADA = { customer: 'ada', amount: 1 };

describe('a row that lacks what it must carry', () => {
  it('is refused, a row of nothing included, and nothing is done', async () => {
    const answer = await predict([{}]);
    expect(answer.json()).toMatchObject({ status: 400, code: 'HR_INVALID' });
    expect(told(answer)).toEqual(['inputs[0].customer', 'inputs[0].amount']);
    expect(answer.body).not.toContain('prediction');
  });

  it('is named with all others, at predict and at read alike', async () => {
    const rows = [ADA, { ...ADA, customer: null }, { ...ADA, amount: null }];
    expect(told(await predict(rows))).toEqual(['inputs[1].customer', 'inputs[2].amount']);
    expect(told(await read(rows))).toEqual(['rows[1].customer', 'rows[2].amount']);
  });

  it('is a slip beside a member of another name, also where only what is optional lacks', async () => {
    expect(told(await predict([{ ...ADA, nte: 'x' }]))).toEqual(['inputs[0].nte']);
    expect((await predict([{ ...ADA, shop: 'main', visitor: 5, rate: 1, note: 'x', more: 1 }])).statusCode).toBe(200);
  });
});

describe('a row that lacks what it may', () => {
  it('is looked up by the default of a key, and by none where the key is optional', async () => {
    const row = { customer: 'ada', amount: 3 };
    const answer = await read([
      row,
      { ...row, shop: 'side', visitor: '5', rate: 10, note: 'n' },
      { ...row, shop: null, visitor: null, rate: null, note: null },
    ]);
    const paid = { history__bought_1d: 1, basket__paid: 6, basket__has_note: false };
    const features = { ...paid, shops__sold_1d: 2, visits__last_points: null };
    const plain = { features, statuses: { visits__last_points: 'NOT_FOUND' } };
    const full = { features: { shops__sold_1d: 1, visits__last_points: 3, basket__paid: 30, basket__has_note: true } };
    expect(answer.json()).toMatchObject({ rows: [plain, full, plain] });
  });

  it('is logged as what it stands for', async () => {
    const [prediction] = (await predict([{ customer: 'ada', amount: 4 }])).json().predictions;
    expect(prediction).toMatchObject({ features: { basket__paid: 8, shops__sold_1d: 2 } });
    const outcomes = [{ prediction_id: prediction?.prediction_id, value: 1 }];
    expect((await open.post('/v1/endpoints/checkout/outcomes', { outcomes })).statusCode).toBe(200);
    const sql = `SELECT request::VARCHAR AS request FROM predictions WHERE prediction_id = '${prediction?.prediction_id}'`;
    const [logged] = await queryLog(open.app, sql);
    const stands = { customer: 'ada', shop: 'main', visitor: null, amount: 4, rate: 2, note: null };
    expect(JSON.parse(String(logged?.['request']))).toEqual(stands);
  });
});

it('shows in the features the defaults that the model saw, with their statuses', async () => {
  const { predictions } = (await predict([{ customer: 'ada' }, { customer: 'nobody' }], 'repeat')).json();
  expect(predictions).toMatchObject([
    {
      outputs: { seen: 3 },
      // The model takes no label, so nothing stands in for it.
      features: { labels__label: null, labels__points: 3 },
      statuses: { labels__label: 'NULL_VALUE', labels__points: 'PRESENT' },
    },
    { outputs: { seen: 7 }, features: { labels__points: 7 }, statuses: { labels__points: 'NOT_FOUND' } },
  ]);
});

describe('when the definitions change', () => {
  const beside = async (work: (app: App) => Promise<unknown>): Promise<void> => {
    await withOperator(open, work);
    await open.serving.planes.control.refresh();
  };
  const apply = (amount: string, shop?: string): Promise<void> => {
    open.project.write('feature_repo/shop.ts', repository(amount, shop));
    return beside((app) => applyRepository(app, { allowBreaking: true }));
  };
  const register = (): Promise<void> =>
    beside((app) =>
      registerModelFile(app, { model: 'returns', onnx: readFileSync(open.project.file('quarter.onnx')) }),
    );
  const paid = async (): Promise<unknown> => {
    const answer = await predict([{ customer: 'ada' }]);
    if (answer.statusCode !== 200) return told(answer);
    return (answer.json().predictions[0]?.features as Record<string, unknown> | undefined)?.['basket__paid'];
  };
  /** What each of two versions answers of a feature. */
  const splitBy = async (stable: number, candidate: number, feature: string): Promise<string[]> => {
    const variants = Object.entries({ stable, candidate }).map(([name, version]) => ({ name, version, weight: 50 }));
    await open.serving.planes.control.setTraffic('checkout', { variants, shadows: [] }, { actor: 'test' });
    const { predictions } = (await predict(Array.from({ length: 40 }, (_, i) => ({ customer: `c${i}` })))).json();
    const seen = predictions as unknown as { variant: string; features: Record<string, number> }[];
    return [...new Set(seen.map(({ variant, features }) => `${variant} ${features[feature]}`))].sort();
  };

  it('rows may lack what they say, though a version was registered before', async () => {
    expect(await paid()).toEqual(['inputs[0].amount']);
    await apply('t.float64().optional()');
    expect(await paid()).toBe(null);
    await apply('t.float64().default(5)');
    expect(await paid()).toBe(10);
  });

  it('each version takes its own default', async () => {
    await register();
    await apply('t.float64().default(100)');
    await register();
    expect(await splitBy(2, 3, 'basket__paid')).toEqual(['candidate 200', 'stable 10']);
    await apply('t.float64()');
    expect(await paid()).toEqual(['inputs[0].amount']);
  });

  it('keys too: each version looks up its own, and a row may lack none that the definitions ask for', async () => {
    await apply('t.float64().default(1)', `t.string().default('side')`);
    await register();
    expect(await splitBy(3, 4, 'shops__sold_1d')).toEqual(['candidate 1', 'stable 2']);
    await apply('t.float64().default(1)', 't.string()');
    expect(await paid()).toEqual(['inputs[0].shop']);
  });
});
