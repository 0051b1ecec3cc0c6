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
const one = task(() => 1);
const step = (action: Untyped, options?: object, ofPipeline?: object): unknown => {
  const p: Untyped = (pipeline as Untyped)('p', ofPipeline);
  p.step('one', action, options);
  return p;
};

describe('an option that nothing knows', () => {
  const no = { nothing: 1 };
  const own = { connection: 'env:A', table: 'x' };
  const over = (options: object): unknown => view('v', { features: { n: (count() as Untyped).over('1d', options) } });
  const made = { inputs: { r: { x: t.bool() } }, features: { y: t.bool() }, transform: () => ({ y: true }) };
  const topic = { path: undefined, brokers: 'env:K', topic: 't', format: 'json' };
  const other = loose['pushed']('other', { columns, eventTime: 'at' });
  const inStep = (options: object): unknown => step(one, options);
  const kubernetes = { kind: 'kubernetes', namespace: 'n', image: 'i' };

  it.each<[where: string, object: unknown]>([
    ['entity "e": it', loose['entity']('e', { keys: { a: t.string() }, ...no })],
    ['feature view "v": it', view('v', no)],
    ['on-demand view "o": it', loose['onDemandView']('o', { ...made, ...no })],
    ['feature service "s": it', loose['featureService']('s', [delays], no)],
    ['model "m": it', loose['model']('m', { features: service, outputs: { p: t.float32() }, ...no })],
    ['endpoint "e": it', loose['endpoint']('e', { model: scored, ...no })],
    ...['parquet', 'csv', 'iceberg', 'delta', 'pushed'].map((kind): [string, unknown] => [
      'source "src": it',
      source(kind, no),
    ]),
    ['source "src": it', source('kafka', { ...topic, ...no })],
    ...['postgres', 'mysql', 'snowflake'].map((kind): [string, unknown] => [
      'source "src": it',
      source(kind, { ...own, path: undefined, ...no }),
    ]),
    ['source "src": it', source('query', { path: undefined, sql: 'SELECT 1', over: [other], ...no })],
    ['source "src": knownTime', source('parquet', { knownTime: { after: '5m', ...no } })],
    ['feature view "v": freshness', view('v', { freshness: { every: '1h', ...no } })],
    ['feature view "v": feature "n": over(…)', over(no)],
    ['pipeline "p": it', step(one, undefined, no)],
    ['pipeline "p": step "one": it', inStep(no)],
    ['pipeline "p": step "one": resources', inStep({ resources: no })],
    ['pipeline "p": step "one": retry', inStep({ retry: { times: 1, ...no } })],
    ['pipeline "p": step "one": executor', inStep({ executor: { ...kubernetes, ...no } })],
    ['pipeline "p": step "one": python(…)', step(loose['python']('a.py', no))],
    ['pipeline "p": step "one": trainingSet(…)', step(loose['trainingSet']({ service, spine: 'x', ...no }))],
    ['pipeline "p": step "one": notebook(…)', step((notebook as Untyped)('a.ipynb', no))],
    ['pipeline "p": step "one": shell(…)', step((shell as Untyped)('make', no))],
    ['pipeline "p": step "one": container(…)', step((container as Untyped)({ image: 'i', ...no }))],
    ['pipeline "p": step "one": materialize(…)', step((materialize as Untyped)(no))],
    ['pipeline "p": step "one": evaluate(…)', step((evaluate as Untyped)(scored, no))],
    ['pipeline "p": step "one": promote(…)', step((promote as Untyped)(scored, { alias: 'a', ...no }))],
    ['pipeline "p": step "one": registerModel(…)', step(registerModel(scored, no as Untyped))],
  ])('is refused: %s', (where, object) => {
    expect(mistakesOf({ object })).toEqual([expect.stringContaining(`features.ts: ${where} has no option "nothing".`)]);
  });

  it('is refused of a window whose feature has a default, the nearest named', () => {
    const features = { n: (mean('delay') as Untyped).over('1d', { hopp: '1h' }).default(1).describe('x') };
    expect(mistakesOf({ v: view('v', { features }) })).toEqual([
      'features.ts: feature view "v": feature "n": over(…) has no option "hopp". Did you mean "hop"?',
    ]);
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
      expect(said(step(one, options as Untyped))).toMatch(/step "one": its options must be an object, got/);
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
