// What rows of requests must carry, may lack, and stand for, from the definitions to the answer and the log: versions from
// before the definitions changed included.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, applyRepository, openApp, readEnvironment, registerModelFile } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { predictionLogSql } from '../support/log-relations.ts';
import { passThroughModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';

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

let open: OpenServing;
beforeAll(async () => {
  open = await openServing({ repository: repository('t.float64()'), features: 5 });
  const onnx = passThroughModel([{ name: 'labels__points', type: 'int64', shape: [null, 1] }]);
  await registerModelFile(open.app, { model: 'echo', onnx });
  await open.serving.planes.control.refresh();
  const at = new Date(Date.now() - 60_000).toISOString();
  const rows = [
    { customer: 'ada', shop: 'main', visitor: 5, points: 3, at },
    { customer: 'bob', shop: 'side', visitor: 6, points: 4, at },
    { customer: 'eve', shop: 'main', visitor: 6, points: 9, at },
  ];
  expect((await open.post('/v1/sources/purchases/push', { rows })).statusCode).toBe(200);
}, 60_000);
afterAll(() => open.close());

const predict = (inputs: unknown, endpoint = 'checkout') =>
  open.post(`/v1/endpoints/${endpoint}/predict`, { inputs, options: { return_features: true } });
const read = (rows: unknown) => open.post('/v1/features/read', { service: 'all', rows });
const told = (answer: { json(): Record<string, unknown> }): string[] =>
  (answer.json()['errors'] as { path: string }[]).map(({ path }) => path);

describe('a row that lacks what it must carry', () => {
  it('is refused, a row of nothing included, and nothing is done', async () => {
    const before = (await open.serving.planes.control.endpoint('checkout')).state.revision;
    const answer = await predict([{}]);
    expect(answer.json()).toMatchObject({ status: 400, code: 'HR_INVALID' });
    expect(told(answer)).toEqual(['inputs[0].customer', 'inputs[0].amount']);
    expect((await open.serving.planes.control.endpoint('checkout')).state.revision).toBe(before);
    expect(answer.body).not.toContain('prediction');
  });

  it('is named with all others, at predict and at read alike', async () => {
    const rows = [
      { customer: 'ada', amount: 1 },
      { customer: null, amount: 1 },
      { customer: 'ada', amount: null },
    ];
    expect(told(await predict(rows))).toEqual(['inputs[1].customer', 'inputs[2].amount']);
    expect(told(await read(rows))).toEqual(['rows[1].customer', 'rows[2].amount']);
    expect(told(await predict([{ customer: 'a\ud800', amount: 1 }]))).toEqual(['inputs[0].customer']);
  });

  it('is a slip beside a member of another name, also where only what is optional lacks', async () => {
    const row = { customer: 'ada', amount: 1 };
    expect(told(await predict([{ ...row, nte: 'x' }]))).toEqual(['inputs[0].nte']);
    expect((await predict([{ ...row, shop: 'main', visitor: 5, rate: 1, note: 'x', more: 1 }])).statusCode).toBe(200);
  });
});

describe('a row that lacks what it may', () => {
  it('is looked up by the default of a key, and by none where the key is optional', async () => {
    const answer = await read([
      { customer: 'ada', amount: 3 },
      { customer: 'ada', amount: 3, shop: 'side', visitor: '5', rate: 10, note: 'n' },
      { customer: 'ada', amount: 3, shop: null, visitor: null, rate: null, note: null },
    ]);
    const plain = {
      features: {
        history__bought_1d: 1,
        shops__sold_1d: 2,
        visits__last_points: null,
        basket__paid: 6,
        basket__has_note: false,
      },
      statuses: { visits__last_points: 'NOT_FOUND' },
    };
    const full = { features: { shops__sold_1d: 1, visits__last_points: 3, basket__paid: 30, basket__has_note: true } };
    expect(answer.json()).toMatchObject({ rows: [plain, full, plain] });
  });

  it('is logged as what it stands for', async () => {
    const { predictions } = (await predict([{ customer: 'ada', amount: 4 }])).json();
    expect(predictions[0]).toMatchObject({ features: { basket__paid: 8, shops__sold_1d: 2 } });
    const answer = await open.post('/v1/endpoints/checkout/outcomes', {
      outcomes: [{ prediction_id: predictions[0]?.prediction_id, value: 1 }],
    });
    expect(answer.statusCode).toBe(200);
    const connection = await (await open.app.duckdb()).connect();
    const sql = await predictionLogSql(connection, open.app.config.values['predictionLog.path']);
    const logged = await connection.runAndReadAll(
      `SELECT request::VARCHAR FROM (${sql}) WHERE prediction_id = '${predictions[0]?.prediction_id}'`,
    );
    connection.closeSync();
    expect(JSON.parse(String(logged.getRows()[0]?.[0]))).toEqual({
      customer: 'ada',
      shop: 'main',
      visitor: null,
      amount: 4,
      rate: 2,
      note: null,
    });
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
  const withApp = async (work: (app: App) => Promise<unknown>): Promise<void> => {
    const environment = { ...readEnvironment({}), workingDirectory: open.project.directory };
    const app = await openApp({ environment, logger: silentLogger });
    await work(app);
    await app.close();
    await open.serving.planes.control.refresh();
  };
  const apply = (amount: string, shop?: string): Promise<void> => {
    open.project.write('feature_repo/shop.ts', repository(amount, shop));
    return withApp((app) => applyRepository(app, { allowBreaking: true }));
  };
  const register = (): Promise<void> =>
    withApp((app) =>
      registerModelFile(app, { model: 'returns', onnx: readFileSync(open.project.file('quarter.onnx')) }),
    );
  const paid = async (): Promise<unknown> => {
    const answer = await predict([{ customer: 'ada' }]);
    return answer.statusCode === 200
      ? (answer.json().predictions[0]?.features as Record<string, unknown> | undefined)?.['basket__paid']
      : told(answer);
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
    const variants = [
      { name: 'stable', version: 2, weight: 50 },
      { name: 'candidate', version: 3, weight: 50 },
    ];
    await open.serving.planes.control.setTraffic('checkout', { variants, shadows: [] }, { actor: 'test' });
    const inputs = Array.from({ length: 40 }, (_, i) => ({ customer: `c${i}` }));
    const { predictions } = (await predict(inputs)).json() as unknown as {
      predictions: { variant: string; features: { basket__paid: number } }[];
    };
    const seen = new Set(predictions.map(({ variant, features }) => `${variant} ${features.basket__paid}`));
    expect([...seen].sort()).toEqual(['candidate 200', 'stable 10']);
    await apply('t.float64()');
    expect(await paid()).toEqual(['inputs[0].amount']);
  });

  it('keys too: each version looks up its own, and a row may lack none that the definitions ask for', async () => {
    await apply('t.float64().default(1)', `t.string().default('side')`);
    await register();
    const variants = [
      { name: 'stable', version: 3, weight: 50 },
      { name: 'candidate', version: 4, weight: 50 },
    ];
    await open.serving.planes.control.setTraffic('checkout', { variants, shadows: [] }, { actor: 'test' });
    const inputs = Array.from({ length: 40 }, (_, i) => ({ customer: `c${i}` }));
    const { predictions } = (await predict(inputs)).json() as unknown as {
      predictions: { variant: string; features: { shops__sold_1d: number } }[];
    };
    const seen = new Set(predictions.map(({ variant, features }) => `${variant} ${features.shops__sold_1d}`));
    expect([...seen].sort()).toEqual(['candidate 1', 'stable 2']);
    await apply('t.float64().default(1)', 't.string()');
    expect(await paid()).toEqual(['inputs[0].shop']);
  });
});
