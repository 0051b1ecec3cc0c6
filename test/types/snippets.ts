// Snippets for snippets.test.ts: what must compile, and what must not with parts of the message that a user then reads.

export const preamble = `
import { count, endpoint, entity, featureService, featureView, latest, mean, model, onDemandView, parquet, sql, sum, t } from 'headrace';
export const airport = entity('airport', { keys: { airport: t.string() } });
export const route = entity('route', { keys: { origin: t.string(), destination: t.string() } });
export const flights = parquet('flights', {
  path: 'f/*.parquet',
  columns: { origin: t.string(), destination: t.string(), distance: t.float32(), seats: t.int32(), delay: t.float64(),
    departed_at: t.timestamp(), landed_at: t.timestamp(), tags: t.list(t.string()) },
  derive: {
    is_late: [t.float64(), (row) => (row.delay == null ? null : row.delay > 15 ? 1 : 0)],
    bucket: [t.int32(), sql\`CAST(distance / 250 AS INTEGER)\`],
  },
  eventTime: 'departed_at', knownTime: 'landed_at',
});
export const airportDelays = featureView('airport_delays', {
  entity: airport, source: flights, keys: { airport: 'origin' }, ttl: '30d',
  features: { last_delay: latest('delay'), flights_1d: count().over('1d'), mean_delay_7d: mean('delay').over('7d'), seats_1d: sum('seats').over('1d') },
});
export const routeDelays = featureView('route_delays', { entity: route, source: flights, features: { mean_30d: mean('delay').over('30d') } });
export const departure = onDemandView('departure', {
  inputs: { request: { scheduled_at: t.timestamp() }, origin: airportDelays.as('origin', { airport: 'origin' }) },
  features: { hour: t.int32() },
  transform: ({ request }) => ({ hour: request.scheduled_at?.getUTCHours() ?? null }),
});
export const service = featureService('delay_features', [airportDelays.as('origin', { airport: 'origin' }), routeDelays, departure]);
export const delayModel = model('delay', { features: service, outputs: { probability: t.float32() } });
endpoint('careful', {
  model: delayModel,
  rules: [{ when: { origin: { $in: ['ATL'] }, $or: [{ destination: 'JFK' }, { scheduled_at: { $gte: '2024' } }] }, variant: 'stable' }],
  holdout: { name: 'quarter', percent: 5 },
});
export const delayEndpoint = endpoint('delay', { model: delayModel, unit: ['origin', 'destination'] });
`;

const NODES = `
const straight = modelNode('straight', delayModel, { timeoutMs: 20, onFailure: { outputs: { probability: 0.1 } } });
const prepared = functionNode('prepared', {
  inputs: { features: { origin__mean_delay_7d: t.float64() } }, outputs: { mean: t.float64(), label: t.string() },
  run: ({ features }) => ({ mean: (features.origin__mean_delay_7d ?? 0) / 2, label: 'x' }),
});
`;

export const accepted: Readonly<Record<string, string>> = {
  'every source': `
const shared = { columns: { id: t.int64(), at: t.timestamp(), n: t.int64(), gone: t.bool() }, eventTime: 'at' } as const;
csv('a', { ...shared, path: 'x.csv' }); iceberg('b', { ...shared, path: 'x' }); iceberg('i', { ...shared, catalog: 'env:C', table: 'n.t' }); delta('j', { ...shared, path: 's3://b/t' }); pushed('c', { ...shared, pushes: 'keep' });
postgres('d', { ...shared, connection: 'postgres://h/d', table: 'x' }); postgres('e', { ...shared, connection: 'postgres://h/d', query: 'select 1' });
mysql('f', { ...shared, connection: 'mysql://h/d', table: 'x' }); snowflake('g', { ...shared, connection: 'snowflake://h', query: 'select 1' });
kafka('ka', { ...shared, brokers: 'env:K', topic: 't', format: 'json', group: 'g', deadLetter: 'file:dead.jsonl', timeUnit: 'ms' });
kafka('kb', { ...shared, brokers: 'env:K', topic: 't', format: 'avro', schema: 'l.avsc' }); kafka('kc', { ...shared, brokers: 'env:K', topic: 't', format: 'protobuf', registry: 'env:R' });
parquet('h', { ...shared, path: 'x', knownTime: { after: '5m' }, createdOrder: 'n', tombstone: 'gone', description: 'd', owner: 'o', tags: { a: 'b' } });
parquet('i', { ...shared, path: 's3://b/dt=*/*.parquet', partitions: { dt: 'date' } });
query('j', { ...shared, sql: 'SELECT * FROM flights', over: [flights], static: [csv('k', { ...shared, path: 'k.csv' })] });
query('l', { ...shared, sql: sql\`SELECT 1\`, over: [flights] });`,
  'what is expected of rows and features': `
const columns = { id: t.int64(), kind: t.string(), price: t.float64(), sold: t.bool(), at: t.timestamp() } as const;
const sales = parquet('s', { path: 'x', columns, derive: { double: [t.float64(), (row) => row.price] }, eventTime: 'at', expect: [
  { notNull: ['id', 'double'], onFail: 'fail' },
  { between: { price: [0, null], id: [1n, 2], at: [new Date(0), '2030-01-01'], double: [0, 1e9] }, oneOf: { kind: ['a', 'b'], sold: [true], id: [1, 2n] }, onFail: 'quarantine' },
  { unique: ['id', ['kind', 'at']], fresh: '2h', rowCount: { min: 1 } },
] });
featureView('v', { entity: entity('k', { keys: { kind: t.string() } }), source: sales, features: { last: latest('price'), n: count().over('1d') },
  expect: { notNull: ['last'], between: { n: [1, 1000n] }, fresh: '1d', rowCount: { min: 1 }, onFail: 'fail' } });`,
  'graphs of models': `${NODES}
const fed = modelNode('fed', delayModel, { inputs: { origin__mean_delay_7d: prepared.out('mean'), departure__hour: 'departure__hour' } });
const both = ensembleNode('both', [straight, fed], { by: 'mean', weights: [1, 2], minimum: 1 });
const way = routerNode('way', { inputs: { prepared }, cases: { a: both, b: fed }, choose: ({ prepared: { mean } }) => (mean === null ? 'a' : 'b') });
const named = functionNode('named', {
  inputs: { way, prepared }, outputs: { probability: t.float32(), label: t.string() },
  run: ({ way: { probability }, prepared }) => ({ probability, label: prepared.label?.toUpperCase() ?? null }),
});
endpoint('graph', { model: model('graph', { features: service, outputs: { probability: t.float32(), label: t.string() }, graph: named }), unit: ['origin'] });`,
  'every aggregation': `
featureView('v', { entity: airport, source: flights, keys: { airport: 'origin' }, features: {
  a: latest('tags'), b: count().over('1d'), c: count('delay').over('1d', { hop: '1h' }), d: sum('seats').over('1d'), e: mean('is_late').over('1d'),
  f: min('departed_at').over('1d'), g: max('origin').over('1d'), h: stddev('delay').over('1d'), i: variance('distance').over('1d'),
  j: first('delay').over('1d'), k: last('tags').over('1d'), l: lastN('delay', 3).over('1d'), m: countDistinct('destination').over('1d'),
  n: latest('delay').default(0).describe('newest'), p: count().over('1d').default(0), q: latest('landed_at').default(new Date(0)), o: sum('bucket').over('1d').default(0n),
}, freshness: { every: '1h', lag: '5m' } });`,
  'exact values in transform': `
const stats = featureView('s', { entity: airport, source: flights, keys: { airport: 'origin' }, features: {
  seats: sum('seats').over('1d'), names: lastN('origin', 2).over('1d'), tags: latest('tags'), at: max('landed_at').over('1d'), km: sum('distance').over('1d'), n: countDistinct('origin').over('1d') } });
onDemandView('o', { inputs: { stats, other: departure, r: { x: t.bool(), v: t.vector(3), raw: t.bytes() } }, features: { y: t.bool() },
  transform: ({ stats, other, r }) => {
    const seats: bigint | null = stats.seats; const names: string[] | null = stats.names; const tags: string[] | null = stats.tags;
    const at: Date | null = stats.at; const km: number | null = stats.km; const n: bigint | null = stats.n; const hour: number | null = other.hour;
    const v: Float32Array | null = r.v; const raw: Uint8Array | null = r.raw;
    return { y: [seats, names, tags, at, km, n, hour, v, raw].every((value) => value != null) && r.x };
  } });`,
  'former names': `
featureView('v', { entity: entity('e', { keys: { airport: t.string() }, renamedFrom: 'before' }), source: flights, keys: { airport: 'origin' }, renamedFrom: 'old', features: {
  a: latest('delay').renamedFrom('b'), c: mean('delay').over('7d').renamedFrom('d').default(0), e: count().over('1d').default(0).renamedFrom('f').describe('rows') } });
onDemandView('o', { inputs: { o: departure }, features: { y: t.int32() }, transform: ({ o }) => ({ y: o.hour }), renamedFrom: 'p' });`,
  'a default of the type': `entity('e', { keys: { id: t.int64() } }); const a = t.int64().default(7n); const b = t.string().default('x'); void [a, b];`,
  'columns that a row may lack': `
entity('e', { keys: { id: t.int64().optional(), shop: t.string().default('main') } });
onDemandView('o', { inputs: { r: { x: t.float64().optional(), n: t.int64().default(7n), note: t.string().default('').optional() } }, features: { y: t.float64() },
  transform: ({ r }) => { const x: number | null = r.x; const n: bigint | null = r.n; const note: string | null = r.note; void [n, note]; return { y: x }; } });`,
  'a view declared further down': `onDemandView('o', { inputs: { later: () => departure }, features: { y: t.int32() }, transform: ({ later }) => ({ y: later.hour }) });`,
  'a pipeline over arrays, ranges and results': `
const p = pipeline('p', { params: { seed: t.int32().default(7) } });
const list = p.step('list', task(() => [1, 2, 3]));
const each = p.step('each', task((_needs, { item, index, params }) => ({ score: Number(item) * index + Number(params['seed']) })), { foreach: list });
const fixed = p.step('fixed', python('x.py', { args: { a: 1 } }), { foreach: ['a', 'b'], needs: { list } });
p.step('ranged', python('x.py'), { foreach: range(10) });
p.step('gridded', python('x.py'), { foreach: grid({ a: [1, 2], b: ['x'] }), retry: 2, timeout: '30m', resources: { cpu: 2, memory: '4Gi' } });
p.step('best', task((needs: { each: { score: number }[] }) => needs.each[0]?.score), { needs: { each } });
p.step('typed', task(async (needs: { list: number[] }) => needs.list.length), { needs: { list, fixed } });
p.step('set', trainingSet({ service, spine: 's.parquet', label: 'late', timestamp: 'at', boundary: 'before' }));
p.step('register', registerModel(delayModel, { alias: 'champion' }), { needs: { fixed } });`,
  'groups of steps, and what they give': `
const p = pipeline('p', { on: [materialized(airportDelays), pushed(flights), drift(delayEndpoint)], catchUp: 'all', concurrency: 2, overlap: 'queue' });
const rows = p.step('rows', task(() => ['ATL', 'JFK']));
const fits = p.foreach('country', ['de', 'fr'], (q) => {
  const part = q.step('part', task((_needs, { items, attempt, signal }) => ({ n: String(items['country']).length + attempt, gone: signal.aborted })), { needs: { rows } });
  return q.step('fit', task((needs: { part: { n: number }; rows: string[] }) => ({ auc: needs.part.n + needs.rows.length })), { needs: { part, rows } });
});
const nested = p.foreach('year', range(3), (q) => q.foreach('month', rows, (r) => r.step('day', task(() => 1n.toString()), { foreach: [1, 2] })));
p.foreach('again', fits, (q) => q.step('again_fit', python('x.py'), { foreach: nested }));
p.step('best', task((needs: { fits: { auc: number }[]; nested: string[][][] }) => needs.fits[0]?.auc ?? needs.nested.length), { needs: { fits, nested } });
const gate = p.step('gate', task((needs: { fits: unknown[] }) => needs.fits.length > 1), { needs: { fits } });
p.step('gated', shell('make', { files: ['Makefile'] }), { when: gate, foreach: fits });
p.step('ungated', python('x.py'), { unless: p.step('script', python('gate.py')) });`,
  'every option of a step, and every action': `
const p = pipeline('p'); const plan = rollout('plan', { endpoint: delayEndpoint });
const tried = p.step('tried', task(() => 3), { catch: true, retry: { times: 2, delay: '5s', factor: 3, max: '1m', jitter: 0.5 } });
p.step('sure', task((needs: { tried: number | { readonly error: string } }) => (typeof needs.tried === 'number' ? needs.tried : needs.tried.error)), { needs: { tried } });
p.step('end', task((needs: { tried: number | { readonly error: string } | null }) => needs.tried === null), { needs: { tried }, after: 'end' });
p.step('all', notebook('x.ipynb', { args: { a: 1 }, requirements: 'r.txt' }), { cache: true, parallel: 2, pool: 'warehouse', isolate: true, executor: 'fleet', env: { MODE: 'quiet' },
  secrets: { A: { env: 'NAME' }, B: { file: '/run/b' }, C: { secretKeyRef: { name: 'n', key: 'k' } }, D: { arn: 'arn:aws:x' } } });
p.step('kept', task((_needs: object, { item, params }: import('headrace').CachedTaskContext) => [item, params]), { foreach: [1], cache: true });
p.step('placed', task((_needs, { index }) => index), { foreach: [1], cache: true, index: true });
p.step('pod', container({ image: 'python:3.13', command: ['python', '-V'] }), { executor: { kind: 'kubernetes', namespace: 'ml', image: 'i' } });
p.step('batch', container({ image: 'python:3.13' }), { executor: { kind: 'aws-batch', queue: 'q', definition: 'd' } });
p.step('fill', materialize({ views: [airportDelays, routeDelays] })); p.step('fill_all', materialize());
p.step('judge', evaluate(delayModel, { label: 'late', slices: ['origin'], against: 'champion' })); p.step('judge_all', evaluate(delayModel));
p.step('score', predict({ endpoint: delayEndpoint, input: 's3://lake/{day}.parquet', timestamp: 'at', slices: 8 }), { foreach: range(8) }); p.step('name', promote(delayModel, { alias: 'champion' })); p.step('roll', promote(delayModel, { endpoint: delayEndpoint, plan })); p.step('roll_own', promote(delayModel, { endpoint: delayEndpoint }));`,
  'experiments, metrics and rollouts': `
const late = metric('late', { outcome: delayEndpoint });
experiment('all', {
  unit: ['origin'], endpoints: [delayEndpoint], control: 'old', description: 'd',
  arms: { old: { version: 1, weight: 40 }, new: { version: 'champion', weight: 40 } },
  namespace: { name: 'airports', range: [0, 0.5] }, when: { origin: { $in: ['ATL', 'JFK'] } },
  metrics: {
    goal: [late, metric('sum', { outcome: delayEndpoint, aggregate: 'sum', window: '7d', winsorize: 0.99, worth: 0.05, prePeriod: metric('before', { outcome: delayEndpoint, window: '28d' }) })],
    secondary: [
      metric('per', { ratio: [{ outcome: delayEndpoint, aggregate: 'sum' }, { outcome: delayEndpoint, aggregate: 'count' }] }),
      metric('score', { output: 'probability', quantile: 0.9, direction: 'down' }),
    ],
    guardrail: [metric('flown', { sql: 'SELECT origin AS unit, departed_at AS time, distance AS value FROM flights', over: [flights], winsorize: { lower: 0.01, upper: 0.99 } })],
  },
  plan: { alpha: 0.01, correction: 'bh' },
});
experiment('exp', { unit: ['origin'], arms: { a: { version: 1, weight: 50 }, b: { version: 2, weight: 50 } }, endpoints: [delayEndpoint], metrics: { goal: [late] }, plan: { kind: 'bandit', every: '1d', floor: 0.02 } });
rollout('careful', { endpoint: delayEndpoint, steps: [1, 100], hold: '30m', warmup: '0s', minUnits: 500, maxHold: '2d', guards: ['error_rate<0.01'], onBlind: 'rollback', maturity: '14d', watch: '7d', cooldown: '2h', bake: '1h' });
rollout('plain', { endpoint: delayEndpoint });`,
};

const EXPERIMENT = `experiment('e', { unit: ['origin'], arms: { a: { version: 1, weight: 50 }, b: { version: 2, weight: 50 } }, endpoints: [delayEndpoint], metrics: { goal: [] }`;
const SALES = `parquet('s', { path: 'x', columns: { id: t.int64(), kind: t.string(), price: t.float64(), at: t.timestamp() }, eventTime: 'at', expect: `;
const VIEW = `featureView('v', { entity: airport, source: flights, keys: { airport: 'origin' }, features: { last: latest('delay') }, expect: `;

/** Each: `# what it is: parts && of the message`, and under it the code. */
const REFUSED = `# an output that a node does not have: "men" && "mean"
${NODES}modelNode('n', delayModel, { inputs: { origin__mean_delay_7d: prepared.out('men') } });
# an output of a node taken for another type: 'string' && 'number'
${NODES}functionNode('n', { inputs: { prepared }, outputs: { y: t.float64() }, run: ({ prepared }) => ({ y: prepared.label }) });
# an output that a function does not declare: NotDeclaredInOutputs<"z">
${NODES}functionNode('n', { inputs: { prepared }, outputs: { y: t.float64() }, run: () => ({ y: 1, z: 2 }) });
# a case that a router does not have: "b" && "a"
${NODES}routerNode('n', { inputs: { prepared }, cases: { a: straight }, choose: () => 'b' });
# outputs that stand in and are of another type: 'string' && 'number'
modelNode('n', delayModel, { onFailure: { outputs: { probability: 'low' } } });
# members of other outputs: probability
${NODES}ensembleNode('n', [straight, prepared], { by: 'mean' });
# a graph of other outputs than its model: probability
${NODES}model('m', { features: service, outputs: { probability: t.float32() }, graph: prepared });
# a column that is expected and is not there: "prize" && "price"
${SALES}{ notNull: ['prize'] } });
# a range of a column that has none: 'kind'
${SALES}{ between: { kind: ['a', 'b'] } } });
# a range of another type: 'string' && 'number'
${SALES}{ between: { price: ['0', 1] } } });
# a value of another type: 'number' && 'string'
${SALES}{ oneOf: { kind: [1] } } });
# a severity that is none: "stop" && OnFail
${SALES}[{ unique: ['id'], onFail: 'stop' }] });
# a column in place of a view's feature: "delay" && "last"
${VIEW}{ notNull: ['delay'] } });
# setting a view's values apart: "quarantine" && "warn"
${VIEW}{ notNull: ['last'], onFail: 'quarantine' } });
# a latest value taken for another type: 'number' && 'string'
onDemandView('o', { inputs: { o: airportDelays }, features: { y: t.string() }, transform: ({ o }) => ({ y: o.last_delay }) });
# a key or nested feature taken for another type: 'number' && 'string'
onDemandView('o', { inputs: { o: departure }, features: { y: t.string() }, transform: ({ o }) => ({ y: o.hour }) });
# a request value taken for another type: 'Date' && 'number'
onDemandView('o', { inputs: { r: { at: t.timestamp() } }, features: { y: t.float64() }, transform: ({ r }) => ({ y: r.at }) });
# a picked-away feature: 'last_delay' does not exist
onDemandView('o', { inputs: { o: airportDelays.pick('flights_1d') }, features: { y: t.float64() }, transform: ({ o }) => ({ y: o.last_delay }) });
# a former name that is no text: 'number' && 'string'
featureView('v', { entity: airport, source: flights, keys: { airport: 'origin' }, renamedFrom: 3, features: { d: latest('delay') } });
# a default after a former name that does not fit its feature: the default does not fit the feature, which is float64
featureView('v', { entity: airport, source: flights, keys: { airport: 'origin' }, features: { d: latest('delay').renamedFrom('e').default('x') } });
# a default that does not fit its feature: the default does not fit the feature, which is float64
featureView('v', { entity: airport, source: flights, keys: { airport: 'origin' }, features: { d: latest('delay').default('x') } });
# an unknown feature in pick: "mean_delay_7" && "mean_delay_7d"
airportDelays.pick('mean_delay_7');
# an unknown feature in pick of a role: "nope" && mean_delay_7d
airportDelays.as('o', { airport: 'x' }).pick('nope');
# a wrong key in as: 'airprt' does not exist && airport
airportDelays.as('origin', { airprt: 'origin' });
# a missing key in as: 'destination' is missing
routeDelays.as('r', { origin: 'a' });
# an unknown key of a view: airprt
featureView('v', { entity: airport, source: flights, keys: { airprt: 'origin' }, features: { d: latest('delay') } });
# an unknown column for a key: "orign" && "origin"
featureView('v', { entity: airport, source: flights, keys: { airport: 'orign' }, features: { d: latest('delay') } });
# a key column of another type: "delay" && "destination" | "origin"
featureView('v', { entity: airport, source: flights, keys: { airport: 'delay' }, features: { d: latest('delay') } });
# an unknown column in latest: the source has no column && dely && delay
featureView('v', { entity: airport, source: flights, keys: { airport: 'origin' }, features: { d: latest('dely') } });
# an unknown column in mean: the source has no column && dely
featureView('v', { entity: airport, source: flights, keys: { airport: 'origin' }, features: { d: mean('dely').over('1d') } });
# a sum of text: needs a number column && is string
featureView('v', { entity: airport, source: flights, keys: { airport: 'origin' }, features: { d: sum('origin').over('1d') } });
# a mean of a list: needs a number column && is list
featureView('v', { entity: airport, source: flights, keys: { airport: 'origin' }, features: { d: mean('tags').over('1d') } });
# a max of a list: a column of single values
featureView('v', { entity: airport, source: flights, keys: { airport: 'origin' }, features: { d: max('tags').over('1d') } });
# a window forgotten: mean(…) needs its window
featureView('v', { entity: airport, source: flights, keys: { airport: 'origin' }, features: { d: mean('delay') } });
# an event time that is no column: "att" && "at"
parquet('p', { path: 'x', columns: { at: t.timestamp() }, eventTime: 'att' });
# an event time that is no timestamp: "n" && "at" | "seen"
parquet('p', { path: 'x', columns: { at: t.timestamp(), seen: t.timestamp(), n: t.int32() }, eventTime: 'n' });
# a derive of a wrong type: 'number' && 'string'
parquet('p', { path: 'x', columns: { at: t.timestamp(), n: t.int32() }, derive: { s: [t.string(), (row) => row.n] }, eventTime: 'at' });
# a derive of an unknown column: Property 'm' does not exist
parquet('p', { path: 'x', columns: { at: t.timestamp(), n: t.int32() }, derive: { s: [t.int32(), (row) => row.m] }, eventTime: 'at' });
# a transform of a wrong type: 'string' && 'number'
onDemandView('o', { inputs: { request: { x: t.float64() } }, features: { y: t.float64() }, transform: ({ request }) => ({ y: String(request.x) }) });
# a transform without a feature: 'z' is missing
onDemandView('o', { inputs: { request: { x: t.float64() } }, features: { y: t.float64(), z: t.bool() }, transform: ({ request }) => ({ y: request.x }) });
# a transform with an extra feature: NotDeclaredInFeatures<"extra">
onDemandView('o', { inputs: { request: { x: t.float64() } }, features: { y: t.float64() }, transform: ({ request }) => ({ y: request.x, extra: 1 }) });
# a transform that reads an unknown feature: 'mean_delay_8d' does not exist
onDemandView('o', { inputs: { o: airportDelays }, features: { y: t.float64() }, transform: ({ o }) => ({ y: o.mean_delay_8d }) });
# a transform that reads an unknown input: 'p' does not exist
onDemandView('o', { inputs: { o: airportDelays }, features: { y: t.float64() }, transform: ({ p }) => ({ y: p }) });
# a transform that forgets null: possibly && null
onDemandView('o', { inputs: { o: airportDelays }, features: { y: t.float64() }, transform: ({ o }) => ({ y: o.mean_delay_7d * 2 }) });
# a transform that is async: Promise && 'y' is missing
onDemandView('o', { inputs: { o: airportDelays }, features: { y: t.float64() }, transform: async ({ o }) => ({ y: o.mean_delay_7d }) });
# a source as a service member: source
featureService('s', [flights]);
# a unit that is no request column: "orign" && "origin"
endpoint('e', { model: delayModel, unit: ['orign'] });
# a rule on what is no request column: orign
endpoint('e', { model: delayModel, rules: [{ when: { orign: 'ATL' }, variant: 'stable' }] });
# an experiment's unit that is no request column: "orign" && "origin"
${EXPERIMENT.replace("'origin'", "'orign'")} });
# a control that is no arm: "c" && "a"
${EXPERIMENT}, control: 'c' });
# a goal that is no metric: AuthoredEndpoint && AuthoredMetric
${EXPERIMENT.replace('goal: []', 'goal: [delayEndpoint]')} });
# an aggregate that there is none of: "median"
metric('m', { outcome: delayEndpoint, aggregate: 'median' });
# a quantile of an aggregate: quantile
metric('m', { outcome: delayEndpoint, aggregate: 'sum', quantile: 0.5 });
# SQL without its sources: over
metric('m', { sql: 'SELECT 1' });
# a rollout of a model: AuthoredModel && AuthoredEndpoint
rollout('r', { endpoint: delayModel });
# a service in place of a model: AuthoredService && AuthoredModel
endpoint('e', { model: service });
# a value that may be absent, as if it were there: 'r.x' is possibly 'null'
onDemandView('o', { inputs: { r: { x: t.float64().optional() } }, features: { y: t.float64() }, transform: ({ r }) => ({ y: r.x * 2 }) });
# a default of another type: 'string' && 'number'
t.int32().default('7');
# a need of another type: Step<string> && Step<number>
const p = pipeline('p'); const a = p.step('a', task(() => 'text')); p.step('b', task((needs: { a: number }) => needs.a), { needs: { a } });
# a need that is missing: 'b'
const p = pipeline('p'); const a = p.step('a', task(() => 1)); p.step('b', task((needs: { a: number; b: number }) => needs.a), { needs: { a } });
# the result of a group taken for one of its items: Step<number[]> && Step<number>
const p = pipeline('p'); const g = p.foreach('g', [1, 2], (q) => q.step('a', task(() => 1))); p.step('b', task((needs: { g: number }) => needs.g), { needs: { g } });
# the result of nested groups taken for that of one: Step<string[][]> && Step<string[]>
const p = pipeline('p'); const g = p.foreach('g', [1], (q) => q.foreach('h', [2], (r) => r.step('a', task(() => 'x')))); p.step('b', task((needs: { g: string[] }) => needs.g), { needs: { g } });
# a group whose function gives nothing: 'void' && Step<
const p = pipeline('p'); p.foreach('g', [1], (q) => { q.step('a', task(() => 1)); });
# a foreach over what is no list: Step<number> && ForeachOption
const p = pipeline('p'); const a = p.step('a', task(() => 1)); p.step('b', task(() => 1), { foreach: a });
# a gate that gives no true or false: Step<{ auc: number; }> && Step<boolean>
const p = pipeline('p'); const a = p.step('a', task(() => ({ auc: 1 }))); p.step('b', task(() => 1), { when: a });
# a gate that gives an array: Step<boolean[]> && Step<boolean>
const p = pipeline('p'); const a = p.step('a', task(() => true), { foreach: [1] }); p.step('b', task(() => 1), { unless: a });
# a need after the end that forgets null: NeedMayBeNull<number>
const p = pipeline('p'); const a = p.step('a', task(() => 1)); p.step('b', task((needs: { a: number }) => needs.a), { needs: { a }, after: 'end' });
# a need that was caught, as if it had succeeded: Caught && Step<number>
const p = pipeline('p'); const a = p.step('a', task(() => 1), { catch: true }); p.step('b', task((needs: { a: number }) => needs.a), { needs: { a } });
# the index in a cached step's context: 'index' && CachedTaskContext
const p = pipeline('p'); p.step('a', task((_needs: object, { index }: import('headrace').CachedTaskContext) => index), { foreach: [1], cache: true });
# an index that is neither asked for nor not: 'string' && boolean
const p = pipeline('p'); p.step('a', task(() => 1), { cache: true, index: 'yes' });
# a secret that is written out: 'string' && SecretRef
const p = pipeline('p'); p.step('a', task(() => 1), { secrets: { KEY: 'abc' } });
# an executor that there is none of: "cloud" && ExecutorOption
const p = pipeline('p'); p.step('a', task(() => 1), { executor: 'cloud' });
# a promotion by alias and at an endpoint: endpoint
promote(delayModel, { alias: 'champion', endpoint: delayEndpoint });
# a trigger of another kind of object: AuthoredSource && AuthoredView
pipeline('p', { on: [materialized(flights)] });
# an unknown key of the configuration: regsitry && registry
defineConfig({ project: 'p', regsitry: { url: 'sqlite:x' } });
# a query over no source: string
query('q', { sql: 'SELECT 1', over: ['flights'], columns: { at: t.timestamp() }, eventTime: 'at' });
# a partition that is no time: "text"
parquet('q', { path: 'x', partitions: { region: 'text' }, columns: { at: t.timestamp() }, eventTime: 'at' });
# a format that Kafka messages have not: "xml" && "json"
kafka('k', { brokers: 'env:K', topic: 't', format: 'xml', columns: { at: t.timestamp() }, eventTime: 'at' });
# an Iceberg table by path and by catalog: undefined
iceberg('p', { path: 'x', catalog: 'env:C', table: 't', columns: { at: t.timestamp() }, eventTime: 'at' });
# a table and a query: undefined
postgres('p', { connection: 'c', table: 't', query: 'q', columns: { at: t.timestamp() }, eventTime: 'at' });`;

/** Its code, and what the compiler says of it, by what it is. */
export const refused = Object.fromEntries(
  REFUSED.split(/^# /m)
    .slice(1)
    .map((block) => {
      const [, name = '', parts = '', code = ''] = /^(.*?): (.*)\n([^]*)$/.exec(block) ?? [];
      return [name, { code, message: parts.split(' && ') }];
    }),
);
