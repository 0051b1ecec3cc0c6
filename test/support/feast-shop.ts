// The shop that Feast's clients are tried on: a view of every type, one that is written to, services, and what functions compute.

export const FEAST_REPOSITORY = `import { count, entity, endpoint, featureService, featureView, latest, mean, model, onDemandView, pushed, t } from 'headrace';

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

/** Of customer ada; the others have none. */
export const ADA = {
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
} as const;
