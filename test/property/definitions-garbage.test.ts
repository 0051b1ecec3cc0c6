// Whatever plain JavaScript puts where something else belongs: it compiles, or is told as mistakes in a sentence each.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import {
  container,
  count,
  countDistinct,
  drift,
  endpoint,
  entity,
  evaluate,
  featureService,
  featureView,
  grid,
  lastN,
  latest,
  materialize,
  materialized,
  mean,
  model,
  notebook,
  onDemandView,
  parquet,
  pipeline,
  postgres,
  promote,
  pushed,
  python,
  range,
  registerModel,
  shell,
  t,
  task,
  trainingSet,
} from '../../src/index.ts';
import { isFull, runs } from '../support/tier.ts';
import { compile, type Untyped } from '../support/written-definitions.ts';

/** One place that may hold anything. */
const HOLE: unique symbol = Symbol('hole');

/** A repository as a plain tree: each option, name and argument can be another thing. */
const TREE = {
  entity: [
    'airport',
    { keys: { airport: t.string() }, description: 'd', owner: 'o', tags: { a: 'b' }, renamedFrom: 'x' },
  ],
  source: [
    'flights',
    {
      path: 'x',
      columns: { airport: t.string(), delay: t.float64(), at: t.timestamp(), gone: t.bool(), n: t.int64() },
      derive: { late: [t.float64(), () => 1], bucket: [t.int32(), { sql: '1' }] },
      eventTime: 'at',
      knownTime: { after: '5m' },
      createdOrder: 'n',
      tombstone: 'gone',
      pushes: 'until-materialized',
      completeAfter: '1h',
    },
  ],
  database: ['db', { connection: 'env:A', table: 'x', columns: { at: t.timestamp() }, eventTime: 'at' }],
  pushed: ['events', { columns: { at: t.timestamp() }, eventTime: 'at', knownTime: 'at', pushes: 'keep' }],
  view: [
    'delays',
    {
      keys: { airport: 'airport' },
      ttl: '1d',
      freshness: { every: '1h', lag: '5m' },
      schedule: '0 3 * * *',
      timezone: 'UTC',
      catchUp: 'none',
      renamedFrom: 'y',
    },
  ],
  latest: ['delay'],
  mean: ['delay'],
  window: ['7d', { hop: '1h' }],
  lastN: ['delay', 3],
  distinct: ['airport'],
  default: [1],
  describe: ['text'],
  formerName: ['old'],
  as: ['role', { airport: 'origin' }],
  pick: ['last', 'n'],
  onDemand: ['departure', { features: { y: t.float64() }, transform: () => ({ y: 1 }), renamedFrom: 'z' }],
  input: { x: t.int32(), v: t.vector(2), l: t.list(t.string()) },
  service: [{ description: 'd' }],
  model: ['scored', { outputs: { p: t.float32() }, providers: ['cpu'] }],
  endpoint: [
    'served',
    {
      unit: ['origin'],
      rules: [{ when: { origin: { $in: ['ATL'] }, $not: { origin: 'x' } }, variant: 'stable' }],
      holdout: { name: 'held', percent: 5 },
      whenStoreDown: 'fail',
      cache: { ttl: '10s', maxBytes: 1e6, maxEntries: 100 },
    },
  ],
  pipeline: [
    'train',
    {
      schedule: '0 3 * * *',
      timezone: 'UTC',
      catchUp: 'all',
      concurrency: 2,
      overlap: 'skip',
      params: { seed: t.int32().default(7) },
    },
  ],
  triggers: ['view', 'source', 'endpoint'],
  group: ['country', ['de', 'fr']],
  notebook: ['x.ipynb', { requirements: 'r.txt', args: { a: 1 } }],
  shell: ['make', { files: ['Makefile'] }],
  container: [{ image: 'i:1', command: ['a', 'b'] }],
  materialize: [{}],
  evaluate: [{ label: 'l', slices: ['a'], against: 'champion' }],
  promote: [{ alias: 'champion' }],
  options: [
    {
      retry: { times: 2, delay: '5s', factor: 3, max: '1m', jitter: 0.5 },
      after: 'end',
      catch: true,
      cache: true,
      parallel: 2,
      pool: 'warehouse',
      isolate: true,
      executor: { kind: 'kubernetes', namespace: 'ml', image: 'i' },
      env: { MODE: 'quiet' },
      secrets: { A: { env: 'NAME' }, B: { secretKeyRef: { name: 'n', key: 'k' } } },
    },
  ],
  python: ['x.py', { requirements: 'r.txt', args: { a: [1, { b: null }] } }],
  trainingSet: [{ spine: 's', timestamp: 'at', label: 'l', labels: ['m'], boundary: 'at' }],
  register: [{ alias: 'champion' }],
  step: ['fit', { retry: 1, timeout: '1h', resources: { cpu: 1, memory: '1Gi' } }],
  task: [() => 1],
  grid: { a: [1, 2] },
  range: [1, 3],
  items: [1, 'a', { b: [true] }],
  vector: [3],
  list: [t.bool()],
} as const;

// Calls with whatever the tree holds in place of the arguments.
const call = (fn: Untyped, args: Untyped, ...more: readonly unknown[]): Untyped =>
  Array.isArray(args) ? fn(...args.slice(0, 1), ...merged(args.slice(1), more)) : fn(args, ...more);
const merged = (args: readonly Untyped[], more: readonly Untyped[]): readonly Untyped[] => {
  const [first, ...rest] = more;
  if (first === undefined) return args;
  const isRecord = args[0] !== null && typeof args[0] === 'object';
  return [isRecord ? { ...args[0], ...first } : args[0], ...args.slice(1), ...rest];
};

function build(tree: Untyped): Readonly<Record<string, unknown>> {
  const made = call(entity, tree.entity);
  const source = call(parquet, tree.source);
  const late = call(mean, tree.mean).over(...[tree.window].flat());
  const view = call(featureView, tree.view, {
    entity: made,
    source,
    features: {
      last: call(latest, tree.latest).default(...[tree.default].flat()),
      late: late.describe(...[tree.describe].flat()).renamedFrom(...[tree.formerName].flat()),
      n: count().over('1d'),
      many: (lastN as Untyped)(...[tree.lastN].flat()).over('1d'),
      kinds: call(countDistinct, tree.distinct).over('1d'),
    },
  });
  const role = view.as(...[tree.as].flat());
  const onDemand = call(onDemandView, tree.onDemand, {
    inputs: { request: tree.input, stored: role, hole: tree.hole },
  });
  const service = (featureService as Untyped)(
    'features',
    [role, view.pick(...[tree.pick].flat()), onDemand, tree.hole],
    ...tree.service,
  );
  const scored = call(model, tree.model, { features: service });
  const steps = call(pipeline, tree.pipeline);
  const set = steps.step('set', (trainingSet as Untyped)({ service, ...Object(tree.trainingSet[0]) }));
  const one = steps.step(tree.step[0], call(python, tree.python), { needs: { set }, ...Object(tree.step[1]) });
  steps.step('grid', (task as Untyped)(...[tree.task].flat()), {
    foreach: (grid as Untyped)(tree.grid),
    needs: { one },
  });
  steps.step(
    'range',
    task(() => 1),
    { foreach: (range as Untyped)(...[tree.range].flat()) } as Untyped,
  );
  steps.step('items', tree.hole ?? task(() => 1), { foreach: tree.items });
  steps.step('register', (registerModel as Untyped)(scored, ...[tree.register].flat()), {
    needs: { grid: tree.hole ?? one },
  });
  const told = steps.step(
    'told',
    task(() => true),
    Object(tree.options[0]),
  );
  const country = (steps.foreach as Untyped)(...[tree.group].flat(1), (q: Untyped) => {
    const part = q.step('part', call(notebook, tree.notebook), { when: told, needs: { hole: tree.hole ?? one } });
    q.foreach('city', tree.hole ?? part, (r: Untyped) =>
      r.step('shell', call(shell, tree.shell), { unless: tree.hole ?? told }),
    );
    return tree.hole ?? part;
  });
  steps.step('container', (container as Untyped)(tree.container[0]), { needs: { country } });
  steps.step(
    'fill',
    (materialize as Untyped)(
      tree.materialize[0] === undefined ? undefined : { views: [tree.hole ?? view], ...tree.materialize[0] },
    ),
  );
  steps.step('judge', (evaluate as Untyped)(tree.hole ?? scored, tree.evaluate[0]));
  steps.step('promote', (promote as Untyped)(scored, tree.promote[0]), { foreach: tree.hole ?? country });
  const served = call(endpoint, tree.endpoint, { model: scored });
  const on = new Map<unknown, unknown>([
    ['view', materialized(tree.hole ?? view)],
    ['source', (pushed as Untyped)(tree.hole ?? source)],
    ['endpoint', drift(tree.hole ?? served)],
  ]);
  const { triggers } = tree;
  const given = Array.isArray(triggers) ? triggers.map((name: unknown) => on.get(name) ?? name) : triggers;
  const started = (pipeline as Untyped)('started', { on: given });
  started.step(
    'one',
    task(() => 1),
  );
  const types = { v: (t.vector as Untyped)(...[tree.vector].flat()), l: (t.list as Untyped)(...[tree.list].flat()) };
  const typed = entity('typed', { keys: { id: t.string() } });
  return {
    view,
    database: call(postgres, tree.database),
    pushed: call(pushed, tree.pushed),
    types: parquet('types', { path: 'x', columns: { at: t.timestamp(), ...types }, eventTime: 'at' } as Untyped),
    typed,
    started,
    served,
    steps,
  };
}

const circular: Record<string, unknown> = {};
circular['self'] = circular;

const NOTHINGS: readonly unknown[] = [null, undefined, 0, -1, 1.5, NaN, Infinity, 3n, '', ' ', true, [], {}, HOLE];
const TEXTS = ['__proto__', 'constructor', 'a__b', 'имя', '🛫', 'x'.repeat(300), '\u202eabc', 'a\nb', '\ud800'];
const OTHERS: readonly unknown[] = [
  () => 1,
  t.string(),
  t.string,
  count(),
  entity('e', { keys: { a: t.string() } }),
  circular,
  { x: circular },
  new Date(0),
  new Map(),
  /x/,
  Object.create(null),
  [undefined],
  [null],
  { a: undefined },
  { a: null },
];
const KNOWN_GARBAGE: readonly unknown[] = [NOTHINGS, TEXTS, OTHERS].flat();
const garbage = fc.anything({ maxDepth: 2, withBigInt: true, withDate: true, withNullPrototype: true });

/** Every place in the tree, as a way from its root. */
function placesIn(value: unknown, way: readonly string[] = []): (readonly string[])[] {
  const isPlain = value !== null && typeof value === 'object' && !('type' in value);
  const under = isPlain ? Object.entries(value).flatMap(([name, inner]) => placesIn(inner, [...way, name])) : [];
  return way.length === 0 ? under : [way, ...under];
}

function withAt(value: Untyped, [name = '', ...rest]: readonly string[], put: unknown): unknown {
  const copy: Untyped = Array.isArray(value) ? [...value] : { ...value };
  copy[name] = rest.length === 0 ? put : withAt(value[name], rest, put);
  return copy;
}

const PLACES = [...placesIn(TREE).filter((way) => way.length > 1), ['hole']];

describe('anything in place of anything', () => {
  it('starts from definitions that compile', () => {
    // Left out, the hole holds nothing; its input and its member are then no mistakes of the tree.
    const mistakes = mistakesIn(TREE);
    expect(mistakes.filter((mistake) => !/got (undefined|a undefined)|hole|foreach/.test(mistake))).toEqual([]);
  });

  it.each(PLACES.map((way) => [way.join('.'), way] as const))('compiles, or is told in sentences: %s', (_name, way) => {
    const at = PLACES.indexOf(way);
    // In the quick tier each place gets a few, so that each thing stands in many.
    const some = KNOWN_GARBAGE.filter((_, index) => isFull || (index + at) % 8 === 0);
    expect(some.length).toBeGreaterThan(3);
    for (const put of some) expectSentences(withAt(TREE, way, put));
  });

  it('compiles, or is told in sentences: random things', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PLACES), garbage, (way, put) => expectSentences(withAt(TREE, way, put))),
      { numRuns: runs(500) },
    );
  });
});

function expectSentences(tree: unknown): void {
  for (const mistake of mistakesIn(tree)) {
    expect(mistake).toMatch(/^[^\p{Cc}\p{Bidi_Control}\p{Surrogate}]*$/u);
    expect(mistake.length).toBeLessThan(1000);
    expect(mistake).not.toContain('[object');
  }
}

function mistakesIn(tree: unknown): readonly string[] {
  try {
    compile(build(tree));
    return [];
  } catch (error) {
    if (!(error instanceof HeadraceError) || error.code !== 'HR_DEFINITION') throw error;
    expect(error.message).toMatch(/^the feature repository has /);
    return error.details.map(({ path, message }) => `${path}: ${message}`);
  }
}
