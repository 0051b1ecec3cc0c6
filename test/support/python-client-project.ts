// Writes the project that the Python client's tests are run on: `python-client-project.ts FOLDER`. Its service `echo` answers what
// the server understood of each request column; `visits` has files, so training sets can be made.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { constantModel } from './onnx-model.ts';

const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop' });
`;

const REPOSITORY = `import { count, csv, entity, endpoint, featureService, featureView, latest, mean, model, onDemandView, pushed, t } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });
export const account = entity('account', { keys: { account: t.int64() } });
export const purchases = pushed('purchases', {
  columns: {
    customer: t.string(), amount: t.float64(), points: t.int64(), code: t.bytes(), seen: t.bool(), tags: t.list(t.string()),
    embedding: t.vector(3), small: t.int32(), share: t.float32(), bought_at: t.timestamp(),
  },
  eventTime: 'bought_at',
});
export const transfers = pushed('transfers', {
  columns: { account: t.int64(), cents: t.int64(), at: t.timestamp() },
  eventTime: 'at',
});
export const payments = pushed('payments', {
  columns: { customer: t.string(), paid: t.float64(), note: t.string(), at: t.timestamp() },
  eventTime: 'at',
  expect: [{ between: { paid: [0, 100] }, onFail: 'quarantine' }, { notNull: ['note'] }],
});
export const paying = featureView('paying', {
  entity: customer, source: payments, features: { payments_1d: count().over('1d') },
});
export const history = featureView('history', {
  entity: customer, source: purchases, ttl: '30d',
  features: {
    last_points: latest('points'), last_amount: latest('amount'), last_code: latest('code'), last_seen: latest('seen'),
    last_tags: latest('tags'), last_embedding: latest('embedding'), last_small: latest('small'), last_share: latest('share'),
    last_bought: latest('bought_at'), purchases_1d: count().over('1d'), mean_7d: mean('amount').over('7d'),
  },
});
export const balances = featureView('balances', {
  entity: account, source: transfers, features: { last_cents: latest('cents') },
});
export const visits = csv('visits', {
  path: 'data/visits.csv',
  columns: { customer: t.string(), minutes: t.float64(), pages: t.int64(), at: t.timestamp() },
  eventTime: 'at',
});
/** Rules that are all held to, one of each way. */
export const readings = pushed('readings', {
  columns: { customer: t.string(), celsius: t.float64(), unit: t.string(), at: t.timestamp() },
  eventTime: 'at',
  expect: [
    { between: { celsius: [-50, 60] }, onFail: 'quarantine' },
    { notNull: ['unit'], oneOf: { unit: ['C'] } },
    { notNull: ['customer'], onFail: 'fail' },
  ],
});
export const weather = featureView('weather', {
  entity: customer, source: readings, features: { last_celsius: latest('celsius'), readings_30d: count().over('30d') },
  expect: { notNull: ['last_celsius'] },
});
export const weatherFeatures = featureService('weather_features', [weather]);
/** No training set of it is made where a key is not known yet. */
export const strict = featureView('strict', {
  entity: customer, source: visits, features: { last_pages: latest('pages') },
  expect: { notNull: ['last_pages'], onFail: 'fail' },
});
export const strictFeatures = featureService('strict_features', [strict]);
export const browsing = featureView('browsing', {
  entity: customer, source: visits,
  features: { visits_7d: count().over('7d'), minutes_7d: mean('minutes').over('7d'), last_pages: latest('pages') },
});
export const basket = onDemandView('basket', {
  inputs: { request: { amount: t.float64().optional() }, customer: history },
  features: { ratio: t.float64() },
  transform: ({ request, customer }) => ({
    ratio: request.amount != null && customer.mean_7d ? request.amount / customer.mean_7d : null,
  }),
});
export const echoed = onDemandView('echoed', {
  inputs: {
    request: {
      b: t.bool().optional(), i: t.int32().optional(), l: t.int64().optional(), f: t.float32().optional(), d: t.float64().optional(),
      s: t.string().optional(), y: t.bytes().optional(), at: t.timestamp().optional(), tags: t.list(t.string()).optional(),
    },
  },
  features: {
    b: t.bool(), i: t.int32(), l: t.int64(), f: t.float32(), d: t.float64(), s: t.string(), y: t.bytes(), at: t.timestamp(),
    tags: t.list(t.string()),
  },
  transform: ({ request: { b, i, l, f, d, s, y, at, tags } }) => ({ b, i, l, f, d, s, y, at, tags }),
});
export const shopFeatures = featureService('shop_features', [history, basket]);
export const numbers = featureService('numbers', [history.pick('purchases_1d', 'mean_7d'), basket]);
export const accounts = featureService('accounts', [balances]);
export const visitFeatures = featureService('visit_features', [browsing]);
export const echo = featureService('echo', [echoed]);
export const returns = model('returns', { features: numbers, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
`;

/** Of customers c0 to c9: a visit an hour, over 20 days. */
function visits(): string {
  const from = Date.UTC(2026, 0, 1);
  const lines = Array.from({ length: 480 }, (_, hour) => {
    const at = new Date(from + hour * 3_600_000).toISOString();
    return `c${hour % 10},${(hour * 7) % 60},${hour % 5 === 0 ? '' : hour},${at}`;
  });
  return `customer,minutes,pages,at\n${lines.join('\n')}\n`;
}

const [folder = '.'] = process.argv.slice(2);
const files: Readonly<Record<string, string | Uint8Array>> = {
  'headrace.config.ts': CONFIG,
  'feature_repo/shop.ts': REPOSITORY,
  'feature_repo/data/visits.csv': visits(),
  'quarter.onnx': constantModel(3, 0.25),
};
for (const [name, content] of Object.entries(files)) {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
