// What pipelines compile to: options as members of the spec, groups, actions, and what plain JavaScript gets wrong.

import { describe, expect, it } from 'vitest';
import { contentHash } from '../../src/core/index.ts';
import type { PipelineSpec, StepSpec } from '../../src/definitions/index.ts';
import * as hr from '../../src/index.ts';
import { compile, delays, flights, mistakesOf, type Untyped } from '../support/written-definitions.ts';

const service = hr.featureService('svc', [delays]);
const scored = hr.model('m', { features: service, outputs: { p: hr.t.float32() } });
const scores = hr.endpoint('scores', { model: scored });
const [one, YES, LIST] = [hr.task(() => 1), hr.task(() => true), hr.task(() => [1, 2])];

const specOf = (p: unknown): PipelineSpec => {
  const [spec] = Object.values(compile({ p }).manifest.pipelines);
  if (spec === undefined) throw new Error('no pipeline');
  return spec;
};
const stepOf = (options: Untyped, action: Untyped = one): StepSpec => {
  const p: Untyped = hr.pipeline('p');
  p.step('s', action, options);
  return specOf(p).steps[0] as StepSpec;
};
/** The mistakes of a pipeline that `add` fills, without their beginning. */
const said = (add: (p: Untyped) => void): string[] => {
  const p = hr.pipeline('p');
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
    const same = {
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
    };
    const { action: _, ...spec } = stepOf({
      ...same,
      retry: { times: 3, delay: '5s', factor: 1.5, max: '2m', jitter: 0 },
    });
    const delay = { delayMicros: 5_000_000, factor: 1.5, maxMicros: 120_000_000, jitter: 0 };
    expect(spec).toEqual({ ...BARE, ...same, retry: 3, delay });
  });

  it('wait as long as the first delay says where that is longer than the usual most', () => {
    expect(stepOf({ retry: { times: 1, delay: '5m' } }).delay).toMatchObject({ delayMicros: 3e8, maxMicros: 3e8 });
    expect(stepOf({ retry: { times: 1, delay: '0s' } }).delay).toMatchObject({ delayMicros: 0, maxMicros: 6e7 });
    expect(stepOf({ retry: { times: 1 } })).not.toHaveProperty('delay');
  });

  it('name a gate, which is waited for under its own name', () => {
    const p = hr.pipeline('p');
    const gate = p.step('gate', YES);
    const list = p.step('list', LIST);
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
    const effects = [hr.registerModel(scored), hr.materialize(), hr.promote(scored, { alias: 'champion' })];
    for (const action of effects)
      expect(saidOf({ cache: true }, action)).toEqual([expect.stringMatching(/cache is not for/)]);
    expect(saidOf({ cache: true }, hr.evaluate(scored))).toEqual([]);
  });

  const method = {
    run(_needs: unknown, context: { index: number }) {
      return context.index;
    },
  };
  it.each([
    ['takes apart', hr.task((_needs, { index, item }) => [index, item])],
    ['takes apart under another name', hr.task((_needs, { index: at }) => at)],
    [
      'reads as a member',
      hr.task(async (_needs, context) => {
        if (context.attempt > 0) return context.index;
        return 0;
      }),
    ],
    ['reads by its name in quotes', hr.task((_needs, context) => context['index'])],
    [
      'takes apart inside',
      hr.task((_needs, context) => {
        const { index } = context;
        return index;
      }),
    ],
    [
      'reads as a function of another form',
      hr.task(function (_needs, context) {
        return () => context.index;
      }),
    ],
    ['reads as a method', hr.task(method.run)],
  ])('do not give the index to a cached task, which %s it, unless it is asked for', (_how, action) => {
    const said = /^step "s": task\(…\) reads `index`, and a cached step goes by its items.*write index: true$/;
    expect(saidOf({ cache: true }, action)).toEqual([expect.stringMatching(said)]);
    expect(saidOf({ cache: true, index: false }, action)).toHaveLength(1);
    expect(saidOf({ cache: true, index: true }, action)).toEqual([]);
    expect(saidOf({}, action)).toEqual([]);
  });

  it.each([
    ['another object’s', hr.task((needs: { index: number }, { item }) => [needs.index, item])],
    ['none', hr.task((needs: { rows: { index: number }[] }) => needs.rows.map(({ index }) => index))],
    ['a text', hr.task((_needs, { item }) => `index ${item}`)],
    ['what is no function', hr.python('fit.py')],
  ])('take a cached task that reads %s', (_what, action) => {
    expect(saidOf({ cache: true }, action)).toEqual([]);
  });

  it('say of an index that is neither asked for nor not', () => {
    expect(saidOf({ cache: true, index: 1 })).toEqual(['step "s": index must be true or false, got number 1']);
  });
});

describe('foreach', () => {
  it('may be over nothing, and over millions', () => {
    for (const nothing of [[], hr.range(0), hr.range(3, 3), hr.grid({ a: [], b: [1] })])
      expect(saidOf({ foreach: nothing })).toEqual([]);
    const side = Array.from({ length: 10_000 }, (_, i) => i);
    for (const many of [hr.range(10_000_000), hr.range(2 ** 31), hr.grid({ a: side, b: side.slice(0, 1000) })])
      expect(saidOf({ foreach: many })).toEqual([]);
  });

  it('is over no more than can be counted', () => {
    const side = Array.from({ length: 50_000 }, (_, i) => i);
    const most = /foreach is over \d+ items, and 2147483648 is the most/;
    for (const many of [hr.range(2 ** 31 + 1), hr.range(-1, 2 ** 31), hr.grid({ a: side, b: side })])
      expect(saidOf({ foreach: many })).toEqual([expect.stringMatching(most)]);
  });

  it.each([
    ['NaN', [1, Number.NaN], 'number NaN in item 1'],
    ['an infinity within an item', [{ rates: [1, -Infinity] }], 'number -Infinity in item 0 at .rates[1]'],
    ['undefined', [0, undefined], 'undefined in item 1'],
    ['a value of an axis', hr.grid({ lr: [0.1, Infinity] } as Untyped), 'number Infinity in item 1'],
  ])('is over nothing that two different items have one text of: %s', (_, foreach, came) => {
    expect(saidOf({ foreach })).toEqual([expect.stringContaining(`must be plain JSON data, got ${came}`)]);
  });

  it('is over a list', () => {
    for (const none of [3, 'abc', {}, true, hr.grid([1] as Untyped), hr.grid({ a: 3 } as Untyped), null])
      expect(saidOf({ foreach: none })).toHaveLength(1);
  });
});

describe('a group', () => {
  it('is a list beside the steps, which name it; outer ones come first', () => {
    const p = hr.pipeline('p');
    const rows = p.step('rows', LIST);
    const years = p.foreach('country', ['de', 'fr'], (q) => {
      const part = q.step('part', one, { needs: { rows } });
      return q.foreach('year', rows, (r) => r.step('fit', one, { needs: { part, rows }, foreach: hr.range(2) }));
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
        const other: Untyped = hr.pipeline('other');
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
    const p = hr.pipeline('p');
    p.foreach('g', hr.range(3), (q) => {
      let last = q.step('s0', one);
      for (let i = 1; i < 20_000; i++) last = q.step(`s${i}`, one, { needs: { last } });
      return last;
    });
    expect(specOf(p).steps).toHaveLength(20_000);
  });
});

describe('actions', () => {
  const plan = hr.rollout('plan', { endpoint: scores });
  const judged = { label: 'late', slices: ['origin'], against: 'champion' };
  const [script, args] = ['x.ipynb', { a: 1 }];
  it.each<[Untyped, object]>([
    [hr.notebook(script, { requirements: 'r.txt', args }), { kind: 'notebook', script, requirements: 'r.txt', args }],
    [hr.shell('make', { files: ['Makefile'] }), { kind: 'shell', command: 'make' }],
    [hr.container({ image: 'i:1' }), { kind: 'container', image: 'i:1', command: [] }],
    [hr.materialize({ views: [delays, delays] }), { kind: 'materialize', views: ['delays'] }],
    [hr.materialize(), { kind: 'materialize' }],
    [hr.evaluate(scored), { kind: 'evaluate', model: 'm', slices: [] }],
    [hr.evaluate(scored, judged), { kind: 'evaluate', model: 'm', ...judged }],
    [hr.promote(scored, { alias: 'champion' }), { kind: 'promote', model: 'm', alias: 'champion' }],
    [hr.promote(scored, { endpoint: scores, plan }), { kind: 'promote', model: 'm', endpoint: 'scores', plan: 'plan' }],
    [hr.promote(scored, { endpoint: scores }), { kind: 'promote', model: 'm', endpoint: 'scores' }],
  ])('compile to their specs: %o', (action, spec) => {
    expect(stepOf({}, action).action).toEqual(spec);
  });

  it('predict every slice of an input, each once', () => {
    const slices = (foreach: unknown): string[] => {
      const sliced = hr.predict({ endpoint: scores, input: 'in.parquet', timestamp: 'at', slices: 3 });
      return saidOf(foreach === undefined ? {} : { foreach }, sliced);
    };
    for (const whole of [hr.range(3), hr.range(0, 3), [2, 0, 1]]) expect(slices(whole)).toEqual([]);
    // Rows would be left out, or be there twice.
    const lists = [
      [0, 1],
      [0, 1, 1],
      [0, 1, '2'],
    ];
    for (const partial of [
      undefined,
      hr.range(2),
      hr.range(1, 4),
      hr.range(4),
      ...lists,
      hr.grid({ slice: [0, 1, 2] }),
    ])
      expect(slices(partial), JSON.stringify(partial)).toEqual([
        expect.stringContaining('slices: 3 goes with foreach: range(3)'),
      ]);
  });

  it('bring the objects that they name', () => {
    const p = hr.pipeline('p', { on: [hr.materialized(delays), hr.pushed(flights), hr.drift(scores)] });
    p.step('roll', hr.promote(scored, { endpoint: scores, plan: hr.rollout('plan', { endpoint: scores }) }));
    const { endpoints, rollouts, views, sources } = compile({ p }).manifest;
    const found = [endpoints, rollouts ?? {}, views, sources].flatMap((specs) => Object.keys(specs));
    expect(found).toEqual(['scores', 'plan', 'delays', 'flights']);
  });
});

describe('a pipeline’s options', () => {
  const timesOf = (options: Untyped): object => {
    const p: Untyped = hr.pipeline('p', options);
    p.step('s', hr.python('x.py'));
    const { name: _, params: __, steps: ___, ...times } = specOf(p);
    return times;
  };

  it('are left out where they say what is so without them', () => {
    expect(timesOf({ catchUp: 'latest', on: [] })).toEqual({});
  });

  it('are members of the spec', () => {
    const on = [hr.materialized(delays), hr.pushed(flights), hr.drift(scores)];
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
    expect(timesOf({ on: [hr.pushed(flights, { every: '5m' })] })).toEqual({
      on: [{ kind: 'pushed', source: 'flights', everyMicros: 300_000_000 }],
    });
    expect(timesOf({ on: [hr.pushed(flights, {}), hr.pushed(flights, { every: '0s' })] })).toEqual({
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

// A member that came later is left out where nobody wrote it: what is applied keeps its hash.
it('a pipeline with what there was from the start has the hash that it had', () => {
  const p = hr.pipeline('p', {
    schedule: '0 3 * * *',
    timezone: 'Europe/Berlin',
    params: { seed: hr.t.int32().default(7) },
    description: 'd',
  });
  const data = p.step('data', hr.trainingSet({ service, spine: 's.parquet', label: 'late' }));
  const fit = p.step('fit', hr.python('fit.py', { requirements: 'r.txt', args: { a: 1 } }), {
    needs: { data },
    foreach: hr.grid({ a: [1, 2] }),
    retry: 2,
    timeout: '30m',
    resources: { cpu: 2, memory: '4Gi' },
  });
  p.step('each', hr.python('x.py'), { foreach: fit });
  p.step('items', hr.python('x.py'), { foreach: [1, 'a', { b: [true] }] });
  p.step('range', hr.python('x.py'), { foreach: hr.range(2, 5) });
  p.step('register', hr.registerModel(scored, { alias: 'champion' }), { needs: { fit } });
  expect(contentHash(compile({ p }).manifest.pipelines)).toBe(
    '6ba4bf58e571e14a0e1cb199859b15d3eee9465a668c492ad3efd1f882ab044b',
  );
});
