// Whatever plain JavaScript puts where something else belongs: it compiles, or is told as mistakes in a sentence each.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import * as hr from '../../src/index.ts';
import { isFull, runs } from '../support/tier.ts';
import { compile, type Untyped } from '../support/written-definitions.ts';

/** One place that may hold anything. */
const HOLE: unique symbol = Symbol('hole');

/** A repository as a plain tree: each option, name and argument can be another thing. */
const AT = { at: hr.t.timestamp() };
const NIGHTLY = { schedule: '0 3 * * *', timezone: 'UTC', catchUp: 'none' } as const;
const TREE = {
  entity: [
    'airport',
    { keys: { airport: hr.t.string() }, description: 'd', owner: 'o', tags: { a: 'b' }, renamedFrom: 'x' },
  ],
  source: [
    'flights',
    {
      path: 'x',
      columns: { ...AT, airport: hr.t.string(), delay: hr.t.float64(), gone: hr.t.bool(), n: hr.t.int64() },
      derive: { late: [hr.t.float64(), () => 1], bucket: [hr.t.int32(), { sql: '1' }] },
      eventTime: 'at',
      knownTime: { after: '5m' },
      createdOrder: 'n',
      tombstone: 'gone',
      pushes: 'until-materialized',
      completeAfter: '1h',
    },
  ],
  database: ['db', { connection: 'env:A', table: 'x', columns: { at: hr.t.timestamp() }, eventTime: 'at' }],
  pushed: ['events', { columns: { at: hr.t.timestamp() }, eventTime: 'at', knownTime: 'at', pushes: 'keep' }],
  view: [
    'delays',
    { ...NIGHTLY, keys: { airport: 'airport' }, ttl: '1d', freshness: { every: '1h', lag: '5m' }, renamedFrom: 'y' },
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
  onDemand: ['departure', { features: { y: hr.t.float64() }, transform: () => ({ y: 1 }), renamedFrom: 'z' }],
  input: { x: hr.t.int32(), v: hr.t.vector(2), l: hr.t.list(hr.t.string()) },
  service: [{ description: 'd' }],
  model: ['scored', { outputs: { p: hr.t.float32() }, providers: ['cpu'] }],
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
  pipeline: ['train', { ...NIGHTLY, concurrency: 2, overlap: 'skip', params: { seed: hr.t.int32().default(7) } }],
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
  list: [hr.t.bool()],
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

const [ONE, YES] = [hr.task(() => 1), hr.task(() => true)];
function build(tree: Untyped): Readonly<Record<string, unknown>> {
  const made = call(hr.entity, tree.entity);
  const source = call(hr.parquet, tree.source);
  const late = call(hr.mean, tree.mean).over(...[tree.window].flat());
  const view = call(hr.featureView, tree.view, {
    entity: made,
    source,
    features: {
      last: call(hr.latest, tree.latest).default(...[tree.default].flat()),
      late: late.describe(...[tree.describe].flat()).renamedFrom(...[tree.formerName].flat()),
      n: hr.count().over('1d'),
      many: (hr.lastN as Untyped)(...[tree.lastN].flat()).over('1d'),
      kinds: call(hr.countDistinct, tree.distinct).over('1d'),
    },
  });
  const role = view.as(...[tree.as].flat());
  const inputs = { request: tree.input, stored: role, hole: tree.hole };
  const onDemand = call(hr.onDemandView, tree.onDemand, { inputs });
  const members = [role, view.pick(...[tree.pick].flat()), onDemand, tree.hole];
  const service = (hr.featureService as Untyped)('features', members, ...tree.service);
  const scored = call(hr.model, tree.model, { features: service });
  const steps = call(hr.pipeline, tree.pipeline);
  const set = steps.step('set', (hr.trainingSet as Untyped)({ service, ...Object(tree.trainingSet[0]) }));
  const one = steps.step(tree.step[0], call(hr.python, tree.python), { needs: { set }, ...Object(tree.step[1]) });
  const grid = (hr.grid as Untyped)(tree.grid);
  steps.step('grid', (hr.task as Untyped)(...[tree.task].flat()), { foreach: grid, needs: { one } });
  steps.step('range', ONE, { foreach: (hr.range as Untyped)(...[tree.range].flat()) });
  steps.step('items', tree.hole ?? ONE, { foreach: tree.items });
  const registers = (hr.registerModel as Untyped)(scored, ...[tree.register].flat());
  steps.step('register', registers, { needs: { grid: tree.hole ?? one } });
  const told = steps.step('told', YES, Object(tree.options[0]));
  const country = (steps.foreach as Untyped)(...[tree.group].flat(1), (q: Untyped) => {
    const part = q.step('part', call(hr.notebook, tree.notebook), { when: told, needs: { hole: tree.hole ?? one } });
    q.foreach('city', tree.hole ?? part, (r: Untyped) =>
      r.step('shell', call(hr.shell, tree.shell), { unless: tree.hole ?? told }),
    );
    return tree.hole ?? part;
  });
  steps.step('container', (hr.container as Untyped)(tree.container[0]), { needs: { country } });
  const filled = tree.materialize[0] === undefined ? undefined : { views: [tree.hole ?? view], ...tree.materialize[0] };
  steps.step('fill', (hr.materialize as Untyped)(filled));
  steps.step('judge', (hr.evaluate as Untyped)(tree.hole ?? scored, tree.evaluate[0]));
  steps.step('promote', (hr.promote as Untyped)(scored, tree.promote[0]), { foreach: tree.hole ?? country });
  const served = call(hr.endpoint, tree.endpoint, { model: scored });
  const on = new Map<unknown, unknown>([
    ['view', hr.materialized(tree.hole ?? view)],
    ['source', (hr.pushed as Untyped)(tree.hole ?? source)],
    ['endpoint', hr.drift(tree.hole ?? served)],
  ]);
  const { triggers } = tree;
  const given = Array.isArray(triggers) ? triggers.map((name: unknown) => on.get(name) ?? name) : triggers;
  const started = (hr.pipeline as Untyped)('started', { on: given });
  started.step('one', ONE);
  const types = {
    v: (hr.t.vector as Untyped)(...[tree.vector].flat()),
    l: (hr.t.list as Untyped)(...[tree.list].flat()),
  };
  const typed = hr.entity('typed', { keys: { id: hr.t.string() } });
  return {
    view,
    database: call(hr.postgres, tree.database),
    pushed: call(hr.pushed, tree.pushed),
    types: hr.parquet('types', { path: 'x', columns: { at: hr.t.timestamp(), ...types }, eventTime: 'at' } as Untyped),
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
const DATA = [circular, { x: circular }, new Date(0), new Map(), /x/, Object.create(null), [undefined], [null]];
const OURS = [hr.t.string(), hr.t.string, hr.count(), hr.entity('e', { keys: { a: hr.t.string() } })];
const OTHERS: readonly unknown[] = [() => 1, ...OURS, ...DATA, { a: undefined }, { a: null }];
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
