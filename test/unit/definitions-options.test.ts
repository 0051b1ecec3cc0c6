import { describe, expect, it } from 'vitest';
import {
  container,
  count,
  evaluate,
  featureService,
  materialize,
  mean,
  model,
  notebook,
  pipeline,
  promote,
  registerModel,
  shell,
  t,
  task,
} from '../../src/index.ts';
import { airport, delays, loose, mistakesOf, type Untyped, view } from '../support/written-definitions.ts';

const columns = { id: t.string(), at: t.timestamp() };
const service = featureService('s', [delays]);
const scored = model('m', { features: service, outputs: { p: t.float32() } });
const source = (kind: string, more: object): unknown =>
  loose[kind]('src', { columns, eventTime: 'at', ...(kind === 'pushed' ? {} : { path: 'x' }), ...more });
const database = (kind: string, more: object): unknown =>
  loose[kind]('src', { columns, eventTime: 'at', connection: 'env:A', table: 'x', ...more });
const step = (action: Untyped, options?: object): unknown => {
  const p: Untyped = pipeline('p');
  p.step('one', action, options);
  return p;
};

describe('an option that nothing knows', () => {
  const cases: Readonly<Record<string, readonly [unknown, string]>> = {
    entity: [
      loose['entity']('e', { keys: { a: t.string() }, kyes: {} }),
      'entity "e": it has no option "kyes". Did you mean "keys"?',
    ],
    'a description': [
      loose['entity']('e', { keys: { a: t.string() }, descripton: 'x' }),
      'entity "e": it has no option "descripton". Did you mean "description"?',
    ],
    'feature view': [view('v', { tll: '30d' }), 'feature view "v": it has no option "tll". Did you mean "ttl"?'],
    'on-demand view': [
      loose['onDemandView']('o', {
        inputs: { r: { x: t.bool() } },
        features: { y: t.bool() },
        transform: () => ({ y: true }),
        input: 1,
      }),
      'on-demand view "o": it has no option "input". Did you mean "inputs"?',
    ],
    'feature service': [
      loose['featureService']('s', [delays], { ower: 'x' }),
      'feature service "s": it has no option "ower". Did you mean "owner"?',
    ],
    model: [
      loose['model']('m', { features: service, outputs: { p: t.float32() }, provider: ['cpu'] }),
      'model "m": it has no option "provider". Did you mean "providers"?',
    ],
    endpoint: [
      loose['endpoint']('e', { model: scored, units: [] }),
      'endpoint "e": it has no option "units". Did you mean "unit"?',
    ],
    parquet: [
      source('parquet', { tombston: 'x' }),
      'source "src": it has no option "tombston". Did you mean "tombstone"?',
    ],
    csv: [source('csv', { paths: 'x' }), 'source "src": it has no option "paths". Did you mean "path"?'],
    iceberg: [
      source('iceberg', { eventtime: 'x' }),
      'source "src": it has no option "eventtime". Did you mean "eventTime"?',
    ],
    delta: [source('delta', { paths: 'x' }), 'source "src": it has no option "paths". Did you mean "path"?'],
    pushed: [source('pushed', { push: 'keep' }), 'source "src": it has no option "push". Did you mean "pushes"?'],
    kafka: [
      source('kafka', { path: undefined, brokers: 'env:K', topic: 't', format: 'json', deadletter: 'x' }),
      'source "src": it has no option "deadletter". Did you mean "deadLetter"?',
    ],
    postgres: [database('postgres', { tabel: 'x' }), 'source "src": it has no option "tabel". Did you mean "table"?'],
    mysql: [database('mysql', { querry: 'x' }), 'source "src": it has no option "querry". Did you mean "query"?'],
    snowflake: [
      database('snowflake', { conection: 'x' }),
      'source "src": it has no option "conection". Did you mean "connection"?',
    ],
    query: [
      loose['query']('src', {
        columns,
        eventTime: 'at',
        sql: 'SELECT 1',
        over: [loose['pushed']('other', { columns, eventTime: 'at' })],
        overr: 1,
      }),
      'source "src": it has no option "overr". Did you mean "over"?',
    ],
    'the known time': [
      source('parquet', { knownTime: { after: '5m', befor: '1m' } }),
      'source "src": knownTime has no option "befor". Its options: after.',
    ],
    freshness: [
      view('v', { freshness: { every: '1h', lga: '5m' } }),
      'feature view "v": freshness has no option "lga". Did you mean "lag"?',
    ],
    'a window': [
      view('v', { features: { n: (count() as Untyped).over('1d', { hopp: '1h' }) } }),
      'feature view "v": feature "n": over(…) has no option "hopp". Did you mean "hop"?',
    ],
    'a window whose feature has a default': [
      view('v', { features: { n: (mean('delay') as Untyped).over('1d', { hopp: '1h' }).default(1).describe('x') } }),
      'feature view "v": feature "n": over(…) has no option "hopp". Did you mean "hop"?',
    ],
    pipeline: [
      (() => {
        const p: Untyped = (pipeline as Untyped)('p', { shedule: '0 3 * * *' });
        p.step(
          'one',
          task(() => 1),
        );
        return p;
      })(),
      'pipeline "p": it has no option "shedule". Did you mean "schedule"?',
    ],
    step: [
      step(
        task(() => 1),
        { retrys: 2 },
      ),
      'pipeline "p": step "one": it has no option "retrys". Did you mean "retry"?',
    ],
    'the resources of a step': [
      step(
        task(() => 1),
        { resources: { cpus: 2 } },
      ),
      'pipeline "p": step "one": resources has no option "cpus". Did you mean "cpu"?',
    ],
    python: [
      step(loose['python']('a.py', { requirement: 'x' })),
      'pipeline "p": step "one": python(…) has no option "requirement". Did you mean "requirements"?',
    ],
    'training set': [
      step(loose['trainingSet']({ service, spine: 'x', lable: 'late' })),
      'pipeline "p": step "one": trainingSet(…) has no option "lable". Did you mean "label"?',
    ],
    'the retry of a step': [
      step(
        task(() => 1),
        { retry: { times: 1, delai: '1s' } },
      ),
      'pipeline "p": step "one": retry has no option "delai". Did you mean "delay"?',
    ],
    'the executor of a step': [
      step(
        task(() => 1),
        { executor: { kind: 'kubernetes', namespace: 'n', image: 'i', imag: 'i' } },
      ),
      'pipeline "p": step "one": executor has no option "imag". Did you mean "image"?',
    ],
    notebook: [
      step((notebook as Untyped)('a.ipynb', { arg: {} })),
      'pipeline "p": step "one": notebook(…) has no option "arg". Did you mean "args"?',
    ],
    shell: [
      step((shell as Untyped)('make', { file: [] })),
      'pipeline "p": step "one": shell(…) has no option "file". Did you mean "files"?',
    ],
    container: [
      step((container as Untyped)({ image: 'i', comand: [] })),
      'pipeline "p": step "one": container(…) has no option "comand". Did you mean "command"?',
    ],
    materialize: [
      step((materialize as Untyped)({ view: [] })),
      'pipeline "p": step "one": materialize(…) has no option "view". Did you mean "views"?',
    ],
    evaluate: [
      step((evaluate as Untyped)(scored, { slice: [] })),
      'pipeline "p": step "one": evaluate(…) has no option "slice". Did you mean "slices"?',
    ],
    promote: [
      step((promote as Untyped)(scored, { alias: 'a', plans: 1 })),
      'pipeline "p": step "one": promote(…) has no option "plans". Did you mean "plan"?',
    ],
    'register model': [
      step(registerModel(scored, { aliass: 'x' } as Untyped)),
      'pipeline "p": step "one": registerModel(…) has no option "aliass". Did you mean "alias"?',
    ],
  };

  it.each(Object.entries(cases))('is refused, the nearest named: %s', (_name, [object, expected]) => {
    expect(mistakesOf({ object })).toEqual([`features.ts: ${expected}`]);
  });

  it('is told what there is where nothing is near', () => {
    expect(mistakesOf({ e: loose['entity']('e', { keys: { a: t.string() }, partition: 1 }) })).toEqual([
      'features.ts: entity "e": it has no option "partition". Its options: description, keys, owner, renamedFrom, tags.',
    ]);
  });

  it('is no mistake when it says nothing: an option taken out of a spread', () => {
    expect(mistakesOf({ s: source('pushed', { path: undefined }) })).toEqual([]);
  });

  it('is not looked up in what every object has', () => {
    for (const name of ['constructor', 'toString', 'valueOf', '__proto__']) {
      const options = JSON.parse(`{"${name}": 1}`);
      expect(mistakesOf({ v: view('v', options) })).toEqual([
        expect.stringContaining(`it has no option "${name}". Its options: catchUp, description,`),
      ]);
    }
  });
});

describe('options that are none', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['text', 'airport'],
    ['an array', []],
    ['another object', airport],
    ['a function', () => 1],
  ])('are refused, not thrown at: %s', (_name, options) => {
    for (const kind of [
      'entity',
      'parquet',
      'pushed',
      'postgres',
      'query',
      'featureView',
      'onDemandView',
      'model',
      'endpoint',
    ]) {
      const got = mistakesOf({ o: loose[kind]('x', options) });
      expect(got.join('\n'), kind).toMatch(/its options must be an object, got/);
    }
    expect(mistakesOf({ s: loose['featureService']('x', options) }).join('\n')).toMatch(/members/);
    const actions = [loose['trainingSet'](options), options];
    for (const action of actions) expect(mistakesOf({ p: step(action) }).join('\n')).toMatch(/step "one"/);
  });

  it('are refused where they may be left out', () => {
    for (const options of [null, 'x', [], 3]) {
      const said = (object: unknown): string => mistakesOf({ object }).join('\n');
      expect(said(loose['featureService']('s', [delays], options))).toMatch(/its options must be an object, got/);
      expect(
        said(
          step(
            task(() => 1),
            options as Untyped,
          ),
        ),
      ).toMatch(/step "one": its options must be an object, got/);
      expect(said(step(loose['python']('x.py', options)))).toMatch(/the options of python\(…\) must be an object, got/);
      expect(said(step(registerModel(scored, options as Untyped)))).toMatch(
        /registerModel\(…\) must be an object, got/,
      );
      expect(said((pipeline as Untyped)('p', options))).toMatch(/its options must be an object, got/);
      expect(said(view('v', { features: { n: (count() as Untyped).over('1d', options) } }))).toMatch(
        /feature "n": the options of over\(…\) must be an object, got/,
      );
    }
  });
});
