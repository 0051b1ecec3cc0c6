// What pipelines compile to: options as members of the spec, groups, actions, and what plain JavaScript gets wrong.

import { describe, expect, it } from 'vitest';
import type { PipelineSpec, StepSpec } from '../../src/definitions/index.ts';
import {
  container,
  drift,
  endpoint,
  evaluate,
  featureService,
  grid,
  materialize,
  materialized,
  model,
  notebook,
  pipeline,
  predict,
  promote,
  pushed,
  python,
  range,
  registerModel,
  rollout,
  shell,
  t,
  task,
} from '../../src/index.ts';
import { compile, delays, flights, mistakesOf, type Untyped } from '../support/written-definitions.ts';

const service = featureService('svc', [delays]);
const scored = model('m', { features: service, outputs: { p: t.float32() } });
const scores = endpoint('scores', { model: scored });
const one = task(() => 1);

const specOf = (p: unknown): PipelineSpec => {
  const [spec] = Object.values(compile({ p }).manifest.pipelines);
  if (spec === undefined) throw new Error('no pipeline');
  return spec;
};
const stepOf = (options: Untyped, action: Untyped = one): StepSpec => {
  const p: Untyped = pipeline('p');
  p.step('s', action, options);
  return specOf(p).steps[0] as StepSpec;
};
/** The mistakes of a pipeline that `add` fills, without their beginning. */
const said = (add: (p: Untyped) => void): string[] => {
  const p = pipeline('p');
  add(p);
  return mistakesOf({ p }).map((text) => text.replace('features.ts: pipeline "p": ', ''));
};
const saidOf = (options: Untyped, action: Untyped = one): string[] => said((p) => p.step('s', action, options));

const BARE = { name: 's', needs: {}, retry: 0, timeoutMicros: null, resources: {} };

describe('a step’s options', () => {
  it('are left out of the spec where they say what is so without them', () => {
    const { action: _, ...bare } = stepOf({
      retry: { times: 0, delay: '1s', factor: 2, max: '1m', jitter: 0.1 },
      catch: false,
      cache: false,
      isolate: false,
      env: {},
      secrets: {},
    });
    expect(bare).toEqual(BARE);
  });

  it('are members of the spec', () => {
    const { action: _, ...spec } = stepOf({
      retry: { times: 3, delay: '5s', factor: 1.5, max: '2m', jitter: 0 },
      after: 'end',
      catch: true,
      cache: true,
      isolate: true,
      parallel: 4,
      pool: 'the-warehouse',
      executor: { kind: 'kubernetes', namespace: 'ml', image: 'i:1' },
      env: { MODE: 'quiet', EMPTY: '' },
      secrets: {
        A: { env: 'SHOP_A' },
        B: { file: '/run/b' },
        C: { secretKeyRef: { name: 'shop', key: 'c' } },
        D: { arn: 'arn:aws:secretsmanager:eu-west-1:1:secret:d' },
      },
    });
    expect(spec).toEqual({
      ...BARE,
      retry: 3,
      delay: { delayMicros: 5_000_000, factor: 1.5, maxMicros: 120_000_000, jitter: 0 },
      after: 'end',
      catch: true,
      cache: true,
      isolate: true,
      parallel: 4,
      pool: 'the-warehouse',
      executor: { kind: 'kubernetes', namespace: 'ml', image: 'i:1' },
      env: { MODE: 'quiet', EMPTY: '' },
      secrets: {
        A: { env: 'SHOP_A' },
        B: { file: '/run/b' },
        C: { secretKeyRef: { name: 'shop', key: 'c' } },
        D: { arn: 'arn:aws:secretsmanager:eu-west-1:1:secret:d' },
      },
    });
  });

  it('wait as long as the first delay says where that is longer than the usual most', () => {
    expect(stepOf({ retry: { times: 1, delay: '5m' } }).delay).toMatchObject({ delayMicros: 3e8, maxMicros: 3e8 });
    expect(stepOf({ retry: { times: 1, delay: '0s' } }).delay).toMatchObject({ delayMicros: 0, maxMicros: 6e7 });
    expect(stepOf({ retry: { times: 1 } })).not.toHaveProperty('delay');
  });

  it('name a gate, which is waited for under its own name', () => {
    const p = pipeline('p');
    const gate = p.step(
      'gate',
      task(() => true),
    );
    const list = p.step(
      'list',
      task(() => [1]),
    );
    p.step('a', one, { when: gate });
    p.step('b', one, { unless: gate, needs: { open: gate } });
    p.step('c', one, { when: gate, foreach: list });
    expect(specOf(p).steps.slice(2)).toMatchObject([
      { needs: { gate: 'gate' }, when: 'gate' },
      { needs: { open: 'gate' }, unless: 'gate' },
      { needs: { gate: 'gate', list: 'list' }, when: 'gate', foreach: { kind: 'result', of: 'list' } },
    ]);
    expect(Object.keys(specOf(p).steps[3]?.needs ?? {})).toEqual(['open']);
  });

  it('never show a secret that was written out', () => {
    const literal = 'sk-live-123';
    for (const value of [literal, { env: literal }, { value: literal }, { arn: literal }, [literal], 7]) {
      const [mistake = '', ...others] = saidOf({ secrets: { KEY: value } });
      expect(others).toEqual([]);
      expect(mistake).toMatch(/^step "s": secret "KEY" (is written out|must name the one place)/);
      expect(mistake).not.toContain(literal);
    }
    expect(saidOf({ secrets: { KEY: { env: 'A', file: '/b' } } })).toHaveLength(1);
    expect(saidOf({ secrets: { KEY: { secretKeyRef: { name: 'n' } } } })).toHaveLength(1);
    expect(saidOf({ secrets: { KEY: {} } })).toHaveLength(1);
  });

  it('keep no result of what changes the world', () => {
    const effects = [registerModel(scored), materialize(), promote(scored, { alias: 'champion' })];
    for (const action of effects)
      expect(saidOf({ cache: true }, action)).toEqual([expect.stringMatching(/cache is not for/)]);
    expect(saidOf({ cache: true }, evaluate(scored))).toEqual([]);
  });
});

describe('foreach', () => {
  it('may be over nothing, and over millions', () => {
    for (const nothing of [[], range(0), range(3, 3), grid({ a: [], b: [1] })])
      expect(saidOf({ foreach: nothing })).toEqual([]);
    const side = Array.from({ length: 10_000 }, (_, i) => i);
    for (const many of [range(10_000_000), range(2 ** 31), grid({ a: side, b: side.slice(0, 1000) })])
      expect(saidOf({ foreach: many })).toEqual([]);
  });

  it('is over no more than can be counted', () => {
    const side = Array.from({ length: 50_000 }, (_, i) => i);
    const most = /foreach is over \d+ items, and 2147483648 is the most/;
    for (const many of [range(2 ** 31 + 1), range(-1, 2 ** 31), grid({ a: side, b: side })])
      expect(saidOf({ foreach: many })).toEqual([expect.stringMatching(most)]);
  });

  it('is over a list', () => {
    for (const none of [3, 'abc', {}, true, grid([1] as Untyped), grid({ a: 3 } as Untyped), null])
      expect(saidOf({ foreach: none })).toHaveLength(1);
  });
});

describe('a group', () => {
  it('is a list beside the steps, which name it; outer ones come first', () => {
    const p = pipeline('p');
    const rows = p.step(
      'rows',
      task(() => [1, 2]),
    );
    const years = p.foreach('country', ['de', 'fr'], (q) => {
      const part = q.step('part', one, { needs: { rows } });
      return q.foreach('year', rows, (r) => r.step('fit', one, { needs: { part, rows }, foreach: range(2) }));
    });
    p.foreach('again', years, (q) => q.step('last', one, { needs: { years } }));
    expect(specOf(p).groups).toEqual([
      { name: 'country', foreach: { kind: 'items', items: ['de', 'fr'] }, last: 'year' },
      { name: 'year', foreach: { kind: 'result', of: 'rows' }, in: 'country', last: 'fit' },
      { name: 'again', foreach: { kind: 'result', of: 'country' }, last: 'last' },
    ]);
    expect(specOf(p).steps.map(({ name, in: group, needs }) => [name, group, needs])).toEqual([
      ['rows', undefined, {}],
      ['part', 'country', { rows: 'rows' }],
      ['fit', 'year', { part: 'part', rows: 'rows' }],
      ['last', 'again', { years: 'country' }],
    ]);
  });

  it('tells two circles, each once', () => {
    const mistakes = said((p) => {
      for (const [a, b] of ['ab', 'cd']) {
        p.step(a, one, { needs: { x: b } });
        p.step(b, one, { needs: { x: a } });
      }
      p.step('e', one, { needs: { x: 'a' } });
      p.step('f', one, { needs: { x: 'f' } });
    });
    expect(mistakes.map((text) => / circle: (.*)\. /.exec(text)?.[1])).toEqual(['a → b → a', 'c → d → c', 'f → f']);
  });

  it('says what its function should have given', () => {
    expect(said((p) => p.foreach('g', [1], (q: Untyped) => [q.step('a', one)]))).toEqual([
      'group "g": its function must give the last of its steps, what .step(…) gave, got an array of 1',
    ]);
    expect(said((p) => p.foreach('g', [1], async (q: Untyped) => q.step('a', one)))).toHaveLength(1);
    expect(
      said((p) => {
        const other: Untyped = pipeline('other');
        p.foreach('g', [1], (q: Untyped) => (q.step('a', one), other.step('a', one)));
      }),
    ).toEqual(['group "g": its function must give the last of its steps, what .step(…) gave, got step "a"']);
  });

  it('shares its name with no step, nor with another group', () => {
    expect(
      said((p) => {
        p.foreach('g', [1], (q: Untyped) => q.step('g', one));
        p.foreach('h', [1], (q: Untyped) => q.step('a', one));
        p.foreach('h', [1], (q: Untyped) => q.step('b', one));
      }),
    ).toEqual(['two groups are named "h". Rename one of them', 'a step and a group are named "g". Rename one of them']);
  });

  it('may hold a long chain of steps', () => {
    const p = pipeline('p');
    p.foreach('g', range(3), (q) => {
      let last = q.step('s0', one);
      for (let i = 1; i < 20_000; i++) last = q.step(`s${i}`, one, { needs: { last } });
      return last;
    });
    expect(specOf(p).steps).toHaveLength(20_000);
  });
});

describe('actions', () => {
  it('compile to their specs', () => {
    const plan = rollout('plan', { endpoint: scores });
    expect(stepOf({}, notebook('x.ipynb', { requirements: 'r.txt', args: { a: 1 } })).action).toEqual({
      kind: 'notebook',
      script: 'x.ipynb',
      requirements: 'r.txt',
      args: { a: 1 },
    });
    expect(stepOf({}, shell('make', { files: ['Makefile'] })).action).toEqual({ kind: 'shell', command: 'make' });
    expect(stepOf({}, container({ image: 'i:1' })).action).toEqual({ kind: 'container', image: 'i:1', command: [] });
    expect(stepOf({}, materialize({ views: [delays, delays] })).action).toEqual({
      kind: 'materialize',
      views: ['delays'],
    });
    expect(stepOf({}, materialize()).action).toEqual({ kind: 'materialize' });
    expect(stepOf({}, evaluate(scored)).action).toEqual({ kind: 'evaluate', model: 'm', slices: [] });
    expect(stepOf({}, evaluate(scored, { label: 'late', slices: ['origin'], against: 'champion' })).action).toEqual({
      kind: 'evaluate',
      model: 'm',
      label: 'late',
      slices: ['origin'],
      against: 'champion',
    });
    expect(stepOf({}, promote(scored, { alias: 'champion' })).action).toEqual({
      kind: 'promote',
      model: 'm',
      alias: 'champion',
    });
    expect(stepOf({}, promote(scored, { endpoint: scores, plan })).action).toEqual({
      kind: 'promote',
      model: 'm',
      endpoint: 'scores',
      plan: 'plan',
    });
    expect(stepOf({}, promote(scored, { endpoint: scores })).action).not.toHaveProperty('plan');
  });

  it('predict every slice of an input, each once', () => {
    const slices = (foreach: unknown): string[] => {
      const sliced = predict({ endpoint: scores, input: 'in.parquet', timestamp: 'at', slices: 3 });
      return saidOf(foreach === undefined ? {} : { foreach }, sliced);
    };
    for (const whole of [range(3), range(0, 3), [2, 0, 1]]) expect(slices(whole)).toEqual([]);
    // Rows would be left out, or be there twice.
    const partial = [
      undefined,
      range(2),
      range(1, 4),
      range(4),
      [0, 1],
      [0, 1, 1],
      [0, 1, '2'],
      grid({ slice: [0, 1, 2] }),
    ];
    for (const foreach of partial)
      expect(slices(foreach), JSON.stringify(foreach)).toEqual([
        expect.stringContaining('slices: 3 goes with foreach: range(3)'),
      ]);
  });

  it('bring the objects that they name', () => {
    const p = pipeline('p', { on: [materialized(delays), pushed(flights), drift(scores)] });
    p.step('roll', promote(scored, { endpoint: scores, plan: rollout('plan', { endpoint: scores }) }));
    const { endpoints, rollouts, views, sources } = compile({ p }).manifest;
    expect([endpoints, rollouts ?? {}, views, sources].map((found) => Object.keys(found))).toEqual([
      ['scores'],
      ['plan'],
      ['delays'],
      ['flights'],
    ]);
  });
});

describe('a pipeline’s options', () => {
  const timesOf = (options: Untyped): object => {
    const p: Untyped = pipeline('p', options);
    p.step('s', python('x.py'));
    const { name: _, params: __, steps: ___, ...times } = specOf(p);
    return times;
  };

  it('are left out where they say what is so without them', () => {
    expect(timesOf({ catchUp: 'latest', on: [] })).toEqual({});
  });

  it('are members of the spec', () => {
    const on = [materialized(delays), pushed(flights), drift(scores)];
    expect(timesOf({ catchUp: 'none', concurrency: 3, overlap: 'cancel', on })).toEqual({
      catchUp: 'none',
      concurrency: 3,
      overlap: 'cancel',
      on: [
        { kind: 'materialized', view: 'delays' },
        { kind: 'pushed', source: 'flights' },
        { kind: 'drift', endpoint: 'scores' },
      ],
    });
  });

  it('say how often pushes start a run where that is another time than by default', () => {
    expect(timesOf({ on: [pushed(flights, { every: '5m' })] })).toEqual({
      on: [{ kind: 'pushed', source: 'flights', everyMicros: 300_000_000 }],
    });
    expect(timesOf({ on: [pushed(flights, {}), pushed(flights, { every: '0s' })] })).toEqual({
      on: [
        { kind: 'pushed', source: 'flights' },
        { kind: 'pushed', source: 'flights', everyMicros: 0 },
      ],
    });
  });

  it('let one run go on at a time where they say what becomes of another', () => {
    expect(timesOf({ overlap: 'skip' })).toEqual({ concurrency: 1, overlap: 'skip' });
    expect(timesOf({ overlap: 'queue' })).toEqual({ concurrency: 1 });
    expect(timesOf({ overlap: 'queue', concurrency: 2 })).toEqual({ concurrency: 2 });
  });
});
