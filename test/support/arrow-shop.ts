// A shop with a column of every type in its keys, events, features and requests, to hold answers in Arrow against those in JSON.

export const ARROW_REPOSITORY = `import { count, entity, endpoint, featureService, featureView, latest, mean, model, onDemandView, pushed, t } from 'headrace';

export const account = entity('account', { keys: { account: t.int64() } });
export const facts = pushed('facts', {
  columns: {
    account: t.int64(), flag: t.bool(), small: t.int32(), large: t.int64(), single: t.float32(), double: t.float64(), name: t.string(),
    code: t.bytes(), seen: t.timestamp(), embedding: t.vector(3), tags: t.list(t.string()), counts: t.list(t.int64()), at: t.timestamp(),
  },
  eventTime: 'at',
});
export const known = featureView('known', {
  entity: account, source: facts, ttl: '30d',
  features: {
    flag: latest('flag'), small: latest('small'), large: latest('large'), single: latest('single'), double: latest('double'),
    name: latest('name'), code: latest('code'), seen: latest('seen'), embedding: latest('embedding'), tags: latest('tags'),
    counts: latest('counts'),
  },
});
export const windows = featureView('windows', {
  entity: account, source: facts, features: { facts_1d: count().over('1d'), mean_7d: mean('double').over('7d') },
});
const request = {
  r_flag: t.bool().optional(), r_small: t.int32().default(7), r_large: t.int64().optional(), r_single: t.float32().optional(),
  r_double: t.float64().optional(), r_name: t.string().optional(), r_code: t.bytes().optional(), r_seen: t.timestamp().optional(),
  r_embedding: t.vector(2).optional(), r_tags: t.list(t.string()).optional(), r_counts: t.list(t.list(t.int64())).optional(),
};
export const sent = onDemandView('sent', {
  inputs: { request },
  features: {
    r_flag: t.bool(), r_small: t.int32(), r_large: t.int64(), r_single: t.float32(), r_double: t.float64(), r_name: t.string(),
    r_code: t.bytes(), r_seen: t.timestamp(), r_embedding: t.vector(2), r_tags: t.list(t.string()), r_counts: t.list(t.list(t.int64())),
  },
  transform: ({ request }) => ({ ...request }),
});
export const label = onDemandView('label', {
  inputs: { request: { points: t.int64(), fails: t.bool().optional() } },
  features: { points: t.int64() },
  transform: ({ request }) => ({ points: request.fails === true ? null : request.points }),
});
export const stored = featureService('stored', [known]);
export const mixed = featureService('mixed', [known, windows]);
export const all = featureService('all', [known, windows, sent]);
export const labels = featureService('labels', [label]);
export const returns = model('returns', { features: labels, outputs: { points: t.int64() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['points'] });
`;
