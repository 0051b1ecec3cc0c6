// Feast's HTTP API over what is served: references and services, columns, statuses and times, pushes and writes, and errors in
// Feast's form; requests are injected.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openServing, type OpenServing } from '../support/open-serving.ts';

const REPOSITORY = `import { count, entity, endpoint, featureService, featureView, latest, mean, model, onDemandView, pushed, t } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });
export const account = entity('account', { keys: { account: t.int64() } });
export const purchases = pushed('purchases', {
  columns: {
    customer: t.string(), amount: t.float64(), points: t.int64(), code: t.bytes(), seen: t.bool(), tags: t.list(t.string()),
    embedding: t.vector(3), small: t.int32(), share: t.float32(), rates: t.list(t.float64()), bought_at: t.timestamp(),
  },
  eventTime: 'bought_at',
});
export const transfers = pushed('transfers', {
  columns: { account: t.int64(), cents: t.int64(), note: t.string(), at: t.timestamp() },
  eventTime: 'at',
});
export const visits = pushed('visits', { columns: { customer: t.string(), amount: t.float64(), at: t.timestamp() }, eventTime: 'at' });
export const recent = featureView('recent', { entity: customer, source: visits, ttl: '1h', features: { amount: latest('amount') } });
export const history = featureView('history', {
  entity: customer, source: purchases,
  features: {
    amount: latest('amount'), points: latest('points'), code: latest('code'), seen: latest('seen'), tags: latest('tags'),
    embedding: latest('embedding'), small: latest('small'), share: latest('share'), rates: latest('rates'), bought: latest('bought_at'),
    purchases_1d: count().over('1d'), mean_7d: mean('amount').over('7d'),
  },
});
export const balances = featureView('balances', { entity: account, source: transfers, features: { cents: latest('cents'), memo: latest('note') } });
export const basket = onDemandView('basket', {
  inputs: { request: { price: t.float64() }, customer: history },
  features: { ratio: t.float64() },
  transform: ({ request, customer }) => ({ ratio: customer.mean_7d ? request.price / customer.mean_7d : null }),
});
export const both = featureService('both', [history.pick('amount', 'purchases_1d'), recent]);
export const shop = featureService('shop', [history.pick('points', 'mean_7d'), basket]);
export const stored = featureService('stored', [history.pick('mean_7d')]);
export const returns = model('returns', { features: stored, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
`;

const at = (agoMs: number): string => new Date(Date.now() - agoMs).toISOString();

describe('Feast’s HTTP API', () => {
  let open: OpenServing;
  const bought = at(60_000);
  beforeAll(async () => {
    open = await openServing({ repository: REPOSITORY, features: 1 });
    const rows = [
      {
        customer: 'ada',
        amount: 3,
        points: '9223372036854775807',
        code: 'AQID',
        seen: true,
        tags: ['a', 'b'],
        embedding: [1, 2.5, 3],
        small: -7,
        share: 0.5,
        rates: [1, 0.25],
        bought_at: bought,
      },
    ];
    expect((await open.post('/v1/sources/purchases/push', { rows })).statusCode).toBe(200);
  });
  afterAll(() => open.close());

  it('answers references by columns, join keys first, with statuses and times', async () => {
    const answer = await open.post('/get-online-features', {
      features: ['history:amount', 'history:points', 'history:code', 'recent:amount'],
      entities: { customer: ['ada', 'bob'] },
      full_feature_names: true,
    });
    expect(answer.statusCode, answer.body).toBe(200);
    const none = '1970-01-01T00:00:00Z';
    const time = bought.replace('.000Z', 'Z');
    const column = (values: readonly unknown[]): object => ({
      values,
      statuses: ['PRESENT', 'NOT_FOUND'],
      event_timestamps: [time, none],
    });
    expect(answer.body).toContain('[3.0,null]');
    expect(answer.body).toContain('[9223372036854775807,null]');
    expect(answer.json()).toEqual({
      metadata: {
        feature_names: ['customer', 'history__amount', 'history__points', 'history__code', 'recent__amount'],
      },
      results: [
        { values: ['ada', 'bob'], statuses: ['PRESENT', 'PRESENT'], event_timestamps: [none, none] },
        column([3, null]),
        column([Number('9223372036854775807'), null]),
        column(['AQID', null]),
        { values: [null, null], statuses: ['NOT_FOUND', 'NOT_FOUND'], event_timestamps: [none, none] },
      ],
    });
  });
});
