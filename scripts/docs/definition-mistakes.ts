// Every mistake that definitions can make, each provoked by a piece of code. docs/reference/definition-mistakes.md is what they
// say; test/unit/definitions-mistakes-page.test.ts checks that no mistake is missing.

/** The file that all examples import from, as `./base.ts`. */
export const BASE = `import {
  count, entity, featureService, featureView, latest, model, parquet, pipeline, type Pipeline, t,
} from 'headrace';

export const airport = entity('airport', { keys: { airport: t.string() } });
export const source = {
  path: 'flights.parquet', columns: { airport: t.string(), delay: t.float64(), at: t.timestamp() }, eventTime: 'at',
} as const;
export const flights = parquet('flights', source);
export const made = { entity: airport, source: flights, features: { n: count().over('1d') } };
export const delays = featureView('delays', { ...made, features: { last: latest('delay') } });
export const service = featureService('features', [delays]);
export const scored = model('scored', { features: service, outputs: { p: t.float32() } });
export const onDemand = { inputs: { r: { x: t.bool() } }, features: { y: t.bool() }, transform: () => ({ y: true }) };
export const steps = (add: (p: Pipeline) => void): Pipeline => {
  const p = pipeline('train');
  add(p);
  return p;
};
`;

export interface MistakeGroup {
  readonly title: string;
  /** Code that has the mistake: an expression that is exported, or statements that export what they make. */
  readonly examples: readonly string[];
}

const features = (code: string): string => `featureView('v', { ...made, features: { ${code} } })`;
const expected = (code: string): string => `parquet('s', { ...source, expect: ${code} })`;
const step = (action: string, options?: string): string =>
  `steps((p) => p.step('fit', ${action}${options === undefined ? '' : `, ${options}`}))`;

const transform = (result: string): string =>
  `onDemandView('o', { ...onDemand, transform: ({ r }) => ({ y: ${result} }) })`;

export const MISTAKES: readonly MistakeGroup[] = [
  {
    title: 'Options of any object',
    examples: [
      `featureView('v', { ...made, tll: '30d' })`,
      `entity('e', { keys: { id: t.string() }, partition: 3 })`,
      `featureService('s', [delays], 'ops')`,
      `featureView('v', { ...made, description: 3 })`,
      `featureView('v', { ...made, owner: ['ops'] })`,
      `featureView('v', { ...made, tags: 'ops' })`,
      `featureView('v', { ...made, tags: { team: 3 } })`,
      `featureView('v', { ...made, tags: { ['__proto__']: 'x' } })`,
    ],
  },
  {
    title: 'Names',
    examples: [
      `featureView('my view', made)`,
      `featureView('вылет', made)`,
      `featureView('airport__delays', made)`,
      `featureView('__delays', made)`,
      `featureView('${'x'.repeat(129)}', made)`,
      `featureView(undefined, made)`,
      `entity('my-airport', { keys: { id: t.string() } })`,
      `parquet('my source', source)`,
      `onDemandView('o-d', onDemand)`,
      `featureService('my service', [delays])`,
      `model('my model', { features: service, outputs: { p: t.float32() } })`,
      `endpoint('my endpoint', { model: scored })`,
      `featureView('delays', made)`,
      `onDemandView('delays', onDemand)`,
      `parquet('s', { ...source, columns: { ...source.columns, __hr_row: t.int32() } })`,
      `parquet('s', { ...source, columns: { ...source.columns, 'a"b': t.int32() } })`,
      `parquet('s', { ...source, columns: { ...source.columns, Delay: t.int32() } })`,
      `parquet('s', { ...source, columns: { ...source.columns, __proto__: t.int32() } })`,
    ],
  },
  {
    title: 'Former names',
    examples: [
      `featureView('v', { ...made, renamedFrom: 'v' })`,
      `featureView('v', { ...made, renamedFrom: 'delays' })`,
      `featureView('v', { ...made, renamedFrom: 'a b' })`,
      `export const a = featureView('a', { ...made, renamedFrom: 'old' }); export const b = featureView('b', { ...made, renamedFrom: 'old' })`,
      features(`n: count().over('1d').renamedFrom('n')`),
      features(`n: count().over('1d'), m: count().over('2d').renamedFrom('n')`),
    ],
  },
  {
    title: 'Types, columns, keys',
    examples: [
      `entity('e', { keys: {} })`,
      `entity('e', { keys: ['id'] })`,
      `entity('e', { keys: { id: 'string' } })`,
      `entity('e', { keys: { id: t.string } })`,
      `entity('e', { keys: { id: t.vector(3) } })`,
      `parquet('s', { ...source, columns: { ...source.columns, v: t.vector(0) } })`,
      `parquet('s', { ...source, columns: { ...source.columns, v: t.list(t.list(t.list(t.list(t.bool())))) } })`,
      `onDemandView('o', { ...onDemand, inputs: { r: { x: t.int32().default('7') } } })`,
      `parquet('s', { ...source, columns: { ...source.columns, seats: t.int32().optional() } })`,
    ],
  },
  {
    title: 'Sources',
    examples: [
      `parquet('s', { ...source, columns: {} })`,
      `parquet('s', { path: 'x', columns: { at: t.timestamp() } })`,
      `parquet('s', { ...source, eventTime: 'att' })`,
      `parquet('s', { ...source, eventTime: 'delay' })`,
      `parquet('s', { ...source, knownTime: 3 })`,
      `parquet('s', { ...source, knownTime: { after: 'soon' } })`,
      `parquet('s', { ...source, knownTime: { after: '5m', lag: '1m' } })`,
      `parquet('s', { ...source, tombstone: 'delay' })`,
      `parquet('s', { ...source, createdOrder: 'n' })`,
      `parquet('s', { ...source, pushes: 'never' })`,
      `parquet('s', { ...source, pushes: 'keep', completeAfter: '2h' })`,
      `parquet('s', { ...source, completeAfter: '2 hours' })`,
      `parquet('s', { ...source, derive: { Delay: [t.float64(), (row) => row.delay] } })`,
      `parquet('s', { ...source, derive: { late: [t.bool(), 'delay > 15'] } })`,
      `parquet('s', { ...source, path: '' })`,
      `csv('s', { columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `delta('s', { columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `delta('s', { ...source, path: 'lake/*/events' })`,
      `iceberg('s', { columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `iceberg('s', { catalog: 'env:LAKE', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `iceberg('s', { catalog: 'https://…', table: 'shop.events', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `iceberg('s', { table: 'shop.events', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `iceberg('s', { catalog: 'env:LAKE', table: 'events', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `postgres('s', { table: 'x', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `postgres('s', { connection: 'postgres://…', table: 'x', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `postgres('s', { connection: 'env:DB', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `kafka('s', { brokers: 'broker:9092', topic: 'flights', format: 'json', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `kafka('s', { brokers: 'env:KAFKA', topic: 'flights', format: 'xml', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `kafka('s', { brokers: 'env:KAFKA', topic: 'flights', format: 'avro', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `kafka('s', { brokers: 'env:KAFKA', topic: 'flights', format: 'json', deadLetter: 'flights', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `parquet('s', { ...source, partitions: { dt: 'dat' } })`,
      `parquet('s', { ...source, partitions: 'dt' })`,
      `parquet('s', { ...source, partitions: { month: 'month' } })`,
      `query('s', { over: [flights], columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `query('s', { sql: 'SELECT 1', over: 'flights', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `query('s', { sql: 'SELECT 1', columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `query('s', { sql: 'SELECT 1', over: [flights], static: [flights], columns: { at: t.timestamp() }, eventTime: 'at' })`,
      `postgres('s', { connection: 'env:DB', table: 'SELECT 1', columns: { at: t.timestamp() }, eventTime: 'at' })`,
    ],
  },
  {
    title: 'Expectations',
    examples: [
      expected(`'airport'`),
      expected(`{ notNul: ['airport'] }`),
      expected(`{ onFail: 'fail' }`),
      expected(`{ notNull: ['airport'], onFail: 'stop' }`),
      expected(`{ notNull: 'airport' }`),
      expected(`{ notNull: ['airprt'] }`),
      expected(`{ notNull: [3] }`),
      expected(`{ between: ['delay'] }`),
      expected(`{ between: { airport: ['A', 'Z'] } }`),
      expected(`{ between: { delay: 3000 } }`),
      expected(`{ between: { delay: ['-120', 3000] } }`),
      expected(`{ between: { delay: [3000, -120] } }`),
      expected(`{ between: { delay: [null, null] } }`),
      expected(`{ oneOf: { airport: 'ATL' } }`),
      expected(`{ oneOf: { airport: ['ATL', null] } }`),
      expected(`{ unique: 'airport' }`),
      expected(`{ unique: [[]] }`),
      expected(`{ unique: [['airport', 'airport']] }`),
      expected(`{ fresh: '2 hours' }`),
      expected(`{ rowCount: { mni: 1 } }`),
      expected(`{ rowCount: { min: -1 } }`),
      expected(`{ rowCount: {} }`),
      expected(`{ rowCount: { min: 10, max: 1 } }`),
      expected(`{ fresh: '2h', onFail: 'quarantine' }`),
      `pushed('s', { columns: source.columns, eventTime: 'at', expect: { unique: ['airport'], onFail: 'quarantine' } })`,
      `featureView('v', { ...made, expect: { notNull: ['n'], onFail: 'quarantine' } })`,
      `featureView('v', { ...made, expect: { unique: ['n'] } })`,
      `featureView('v', { ...made, expect: { notNull: ['m'] } })`,
    ],
  },
  {
    title: 'Feature views',
    examples: [
      `featureView('v', { ...made, entity: flights })`,
      `featureView('v', { ...made, source: 'flights' })`,
      `featureView('v', { ...made, keys: 'airport' })`,
      `featureView('v', { ...made, keys: { airprt: 'airport' } })`,
      `featureView('v', { ...made, keys: { airport: 'origin' } })`,
      `featureView('v', { ...made, entity: entity('route', { keys: { origin: t.string() } }) })`,
      `featureView('v', { ...made, keys: { airport: 'delay' } })`,
      `featureView('v', { ...made, ttl: '30 days' })`,
      `featureView('v', { ...made, ttl: '0d' })`,
      `featureView('v', { ...made, freshness: 'hourly' })`,
      `featureView('v', { ...made, freshness: { every: '1h', lga: '5m' } })`,
      `featureView('v', { ...made, features: {} })`,
      `featureView('v', { ...made, features: [count()] })`,
    ],
  },
  {
    title: 'Features',
    examples: [
      features(`n: 'delay'`),
      features(`'mean delay': latest('delay')`),
      features(`n: count().over('1d'), N: count().over('2d')`),
      features(`n: latest('dely')`),
      features(`n: latest(undefined)`),
      features(`n: sum('airport').over('1d')`),
      features(`n: mean('delay')`),
      features(`n: mean('delay').over('7 d')`),
      features(`n: mean('delay').over('1h', { hop: '2h' })`),
      features(`n: mean('delay').over('1d', { hopp: '1h' })`),
      features(`n: lastN('delay', 0).over('1d')`),
      features(`n: latest('delay').default('x')`),
      features(`n: latest('delay').describe(3)`),
    ],
  },
  {
    title: 'On-demand views',
    examples: [
      `onDemandView('o', { ...onDemand, transform: undefined })`,
      `onDemandView('o', { ...onDemand, features: {} })`,
      `onDemandView('o', { ...onDemand, inputs: {} })`,
      `onDemandView('o', { ...onDemand, inputs: [delays] })`,
      `onDemandView('o', { ...onDemand, inputs: { 'my input': delays } })`,
      `onDemandView('o', { ...onDemand, inputs: { r: 3 } })`,
      `export const a = onDemandView('a', { ...onDemand, inputs: { b: () => b } }); export const b = onDemandView('b', { ...onDemand, inputs: { a } })`,
    ],
  },
  {
    title: 'Feature services',
    examples: [
      `featureService('s', [])`,
      `featureService('s', delays)`,
      `featureService('s', [delays, airport])`,
      `featureService('s', [delays, delays])`,
      `featureService('s', [delays.as('my role')])`,
      `featureService('s', [onDemandView('o', onDemand).as('my role')])`,
      `featureService('s', [delays.as('origin', 'airport')])`,
      `featureService('s', [delays.as('origin', { airport: 'origin', airprt: 'x' })])`,
      `featureService('s', [delays.as('origin', {})])`,
      `featureService('s', [delays.as('origin', { airport: '__hr_key' })])`,
      `featureService('s', [delays.pick()])`,
      `featureService('s', [delays.pick('lst')])`,
      `featureService('s', [delays, onDemandView('o', { ...onDemand, inputs: { r: { airport: t.int32() } } })])`,
      `featureService('s', [delays, onDemandView('o', { ...onDemand, inputs: { r: { Airport: t.string() } } })])`,
      `featureService('s', [delays, onDemandView('o', { ...onDemand, inputs: { r: { airport: t.string().default('ATL') } } })])`,
      `featureService('s', [delays, onDemandView('o', { ...onDemand, inputs: { r: { delays__last: t.int32() } } })])`,
    ],
  },
  {
    title: 'Models and endpoints',
    examples: [
      `model('m', { features: delays, outputs: { p: t.float32() } })`,
      `model('m', { features: service, outputs: {} })`,
      `model('m', { features: service, outputs: { p: t.float32() }, providers: 'cpu' })`,
      `endpoint('e', { model: service })`,
      `endpoint('e', { model: scored, unit: 'airport' })`,
      `endpoint('e', { model: scored, unit: ['airprt'] })`,
      `endpoint('e', { model: scored, whenStoreDown: 'wait' })`,
    ],
  },
  {
    title: 'Pipelines and steps',
    examples: [
      `pipeline('p')`,
      `const p = pipeline('my pipeline'); p.step('fit', task(() => 1)); export default p`,
      `const p = pipeline('p', { schedule: 'daily' }); p.step('fit', task(() => 1)); export default p`,
      `const p = pipeline('p', { timezone: 'Mars' }); p.step('fit', task(() => 1)); export default p`,
      `steps((p) => p.step('my step', task(() => 1)))`,
      `steps((p) => [p.step('fit', task(() => 1)), p.step('fit', task(() => 2))])`,
      step('undefined'),
      step(`task('x')`),
      step(`python('')`),
      step(`python('fit.py', { requirements: 3 })`),
      step(`python('fit.py', { args: { at: new Date(0) } })`),
      step(`python('fit.py', { args: { ['__proto__']: 1 } })`),
      step(`python('fit.py', { arg: {} })`),
      step(`trainingSet({ spine: 'spine.parquet' })`),
      step(`trainingSet({ service })`),
      step(`trainingSet({ service, spine: 'spine.parquet', labels: 'late' })`),
      step(`trainingSet({ service, spine: 'spine.parquet', label: '' })`),
      step(`trainingSet({ service, spine: 'spine.parquet', timestamp: 3 })`),
      step(`trainingSet({ service, spine: 'spine.parquet', boundary: 'after' })`),
      step('registerModel(service)'),
      step('registerModel(scored, { alias: 3 })'),
      step('task(() => 1)', '{ retries: 2 }'),
      step('task(() => 1)', '{ retry: -1 }'),
      step('task(() => 1)', `{ timeout: 'long' }`),
      step('task(() => 1)', '{ resources: { cpus: 2 } }'),
      step('task(() => 1)', '{ resources: { cpu: 0 } }'),
      step('task(() => 1)', `{ resources: { memory: 'much' } }`),
      step('task(() => 1)', `{ needs: 'data' }`),
      step('task(() => 1)', `{ needs: { 'my data': p.step('data', task(() => 1)) } }`),
      step('task(() => 1)', '{ needs: { data: 3 } }'),
      step('task(() => 1)', `{ needs: { data: 'export' } }`),
      step('task(() => 1)', `{ needs: { fit: pipeline('other').step('fit', task(() => 1)) } }`),
      `steps((p) => { const a = p.step('a', task(() => [1])); const b = p.step('b', task(() => 1)); p.step('c', task(() => 1), { needs: { a: b }, foreach: a }); })`,
      `steps((p) => { p.step('a', task(() => 1), { needs: { b: 'b' } }); p.step('b', task(() => 1), { needs: { a: 'a' } }); })`,
      step('task(() => 1)', '{ foreach: 3 }'),
      step('task(() => 1)', '{ foreach: grid({}) }'),
      step('task(() => 1)', '{ foreach: grid({ trees: [1n] }) }'),
      step('task(() => 1)', '{ foreach: range(3, 1) }'),
      step('task(() => 1)', `{ foreach: [{ ['__proto__']: 1 }] }`),
    ],
  },
  {
    title: 'What functions may do',
    examples: [
      transform('Date.now() > 0'),
      transform('Math.random() > 0.5'),
      transform(`fetch('http://example.com')`),
      `import { readFileSync } from 'node:fs'; export default ${transform(`readFileSync('x', 'utf8') !== ''`)}`,
      `import { randomInt } from 'node:crypto'; export default ${transform('randomInt(2) > 0')}`,
      transform(`process.env['ON'] === '1'`),
      transform('setTimeout(() => 1, 10) !== null'),
      transform(`eval('r.x')`),
      transform('globalThis.on'),
      `onDemandView('o', { ...onDemand, transform: async ({ r }) => ({ y: r.x }) })`,
      step('task(() => import.meta.url)'),
      step(`task((needs) => import(needs.name))`),
      step(`task(() => require('./x.js'))`),
    ],
  },
  {
    title: 'Files',
    examples: [
      'export const = 3',
      'enum Kind { A }; export const a = Kind.A',
      `import { nothing } from 'headrace'; export default nothing`,
      `import './missing.ts'; export default 3`,
      `import 'no-such-package'; export default 3`,
      `export const a = undefined.x`,
      `export const a = [b]; const b = 3`,
    ],
  },
];
