// A shop with a column of every type in its requests and pushes, with descriptions, owners and tags: what the OpenAPI document
// and the docs page are tried on.

/** Its endpoint `checkout` has a model of three features. */
export const TYPED_REPOSITORY = `import { count, entity, endpoint, featureService, featureView, latest, mean, model, onDemandView, pushed, t } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = pushed('purchases', {
  description: 'What people <b>bought</b>',
  owner: 'shop team',
  columns: {
    customer: t.string(), amount: t.float64(), points: t.int64(), code: t.bytes(), seen: t.bool(), tags: t.list(t.string()),
    embedding: t.vector(3), small: t.int32(), bought_at: t.timestamp(), known_at: t.timestamp(),
  },
  eventTime: 'bought_at',
  knownTime: 'known_at',
});
export const history = featureView('history', {
  entity: customer, source: purchases, ttl: '30d', owner: 'shop team', tags: { tier: 'gold' }, description: 'Purchases of a customer',
  features: { last_points: latest('points'), purchases_1d: count().over('1d'), mean_7d: mean('amount').over('7d'), last_seen: latest('seen') },
});
export const basket = onDemandView('basket', {
  inputs: { request: { amount: t.float64(), points: t.int64(), at: t.timestamp(), hints: t.list(t.int64()) }, customer: history },
  features: { ratio: t.float64() },
  transform: ({ request, customer }) => ({
    ratio: request.amount != null && customer.mean_7d ? request.amount / customer.mean_7d : null,
  }),
});
export const features = featureService('shop_features', [history, basket]);
export const numbers = featureService('numbers', [history.pick('purchases_1d', 'mean_7d'), basket]);
export const returns = model('returns', { features: numbers, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'], description: 'Will it come back?' });
`;
