// Names in any script: columns may have them, since the data has them; names of our own objects say what they may be.

import { describe, expect, it } from 'vitest';
import { dataMistake } from '../../src/definitions/compile/names.ts';
import { checkManifest } from '../../src/definitions/index.ts';
import * as hr from '../../src/index.ts';

import { airport, compile, delays, loose, mistakesOf, type Untyped, view } from '../support/written-definitions.ts';
import { loadingMistakes } from '../support/written-repository.ts';

describe('a name', () => {
  const SCRIPTS: Readonly<Record<string, string>> = {
    Cyrillic: 'аэропорт',
    Greek: 'αεροδρόμιο',
    Chinese: '机场',
    Arabic: 'مطار',
    Hebrew: 'שדה תעופה',
    'an emoji': '🛫',
    'an emoji of several': '👩🏽‍🚀',
    'letters that combine': 'e\u0301',
    'a space': 'my airport',
    'a dot': 'a.b',
    'a quote': "o'hare",
    'a digit first': '1st',
    'a slash': '../up',
  };

  const onDemand = (name: string, output = 'y', input = 'r'): unknown =>
    (hr.onDemandView as Untyped)(name, {
      inputs: { [input]: { x: hr.t.bool() } },
      features: { [output]: hr.t.bool() },
      transform: () => ({ [output]: true }),
    });
  const service = hr.featureService('s', [delays]);
  const scored = hr.model('m', { features: service, outputs: { p: hr.t.float32() } });

  const one = hr.task(() => 1);
  const withStep = (p: Untyped, name = 'one'): Untyped => (p.step(name, one), p);

  /** One object for each name that becomes part of others, is served, or is shown. */
  const ROLES: Readonly<Record<string, (name: string) => unknown>> = {
    entity: (name) => hr.entity(name, { keys: { a: hr.t.string() } }),
    key: (name) => hr.entity('e', { keys: { [name]: hr.t.string() } }),
    source: (name) => hr.parquet(name, { path: 'x', columns: { at: hr.t.timestamp() }, eventTime: 'at' }),
    view: (name) => view(name, {}),
    feature: (name) => view('v', { features: { [name]: hr.latest('delay') } }),
    'on-demand view': (name) => onDemand(name),
    'on-demand feature': (name) => onDemand('o', name),
    input: (name) => onDemand('o', 'y', name),
    role: (name) => hr.featureService('s2', [delays.as(name)]),
    service: (name) => hr.featureService(name, [delays]),
    model: (name) => hr.model(name, { features: service, outputs: { p: hr.t.float32() } }),
    output: (name) => hr.model('m2', { features: service, outputs: { [name]: hr.t.float32() } }),
    endpoint: (name) => hr.endpoint(name, { model: scored }),
    pipeline: (name) => withStep(hr.pipeline(name)),
    step: (name) => withStep(hr.pipeline('p'), name),
    parameter: (name) => withStep(hr.pipeline('p', { params: { [name]: hr.t.int32() } })),
  };

  it.each(Object.entries(SCRIPTS))('of our own is told what it may be: %s', (_script, name) => {
    for (const [role, make] of Object.entries(ROLES)) {
      const [mistake, ...others] = mistakesOf({ object: make(name) });
      expect(mistake, role).toMatch(/is not a good name: use a letter \(a to z, A to Z\), then such letters, digits/);
      expect(mistake, role).toContain(JSON.stringify(name));
      expect(others, role).toEqual([]);
    }
  });

  it('of our own is told how long it may be, and is not told in full', () => {
    for (const [role, make] of Object.entries(ROLES)) {
      expect(mistakesOf({ object: make('a'.repeat(128)) }), role).toEqual([]);
      const [mistake = '', ...others] = mistakesOf({ object: make('a'.repeat(300)) });
      expect(mistake, role).toContain('has 300 characters: use at most 128');
      expect(mistake.length, role).toBeLessThan(250);
      expect(others, role).toEqual([]);
    }
  });

  it('of our own may be what every object has', () => {
    for (const [role, make] of Object.entries(ROLES))
      for (const name of ['constructor', 'toString', 'hasOwnProperty'])
        expect(mistakesOf({ object: make(name) }), role).toEqual([]);
  });

  it.each(Object.entries(SCRIPTS))('of a column is as the data has it: %s', (_script, name) => {
    const columns = { [name]: hr.t.string(), at: hr.t.timestamp() };
    const derive = { [`${name}2`]: [hr.t.string(), () => null] };
    const source = hr.parquet('s', { path: 'x', columns, derive, eventTime: 'at' } as Untyped);
    const features = { a: hr.latest(name), b: hr.latest(`${name}2`) };
    const made = view('v', { source, keys: { airport: name }, features });
    const { manifest } = compile({ made, s: hr.featureService('svc', [(made as Untyped).as('r', { airport: name })]) });
    expect(manifest.views['v']).toMatchObject({ keyColumns: [name] });
    expect(manifest.services['svc']).toMatchObject({ members: [{ keyColumns: [name] }] });
  });

  it.each([
    ['300 characters', 'x'.repeat(300), /use 1 to 128 characters/],
    ['nothing', '', /use 1 to 128 characters/],
    ['a double quote', 'a"b', /without quotes or control characters/],
    ['a line break', 'a\nb', /without quotes or control characters/],
    ['a delete character', 'a\u007fb', /without quotes or control characters/],
    ['half a character', 'a\ud83d', /without quotes or control characters/],
    ['ours', '__hr_row', /is reserved/],
  ])('of a column is refused where the data cannot well have it: %s', (_what, name, expected) => {
    const source = hr.parquet('s', {
      path: 'x',
      columns: { [name]: hr.t.string(), at: hr.t.timestamp() },
      eventTime: 'at',
    });
    const got = mistakesOf({ source });
    expect(got).toEqual([expect.stringMatching(expected)]);
    expect(got[0]?.length).toBeLessThan(250);
  });

  it('turns no line around and moves no cursor where it is told', () => {
    const name = 'a\u202egnp.exe\u001b[2J';
    const got = mistakesOf({
      e: hr.entity(name, { keys: { a: hr.t.string() } }),
      v: view('v', { features: { f: hr.latest(name) }, [name]: 1 }),
    });
    expect(got).toHaveLength(3);
    for (const mistake of got) {
      expect(mistake).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
      expect(mistake).toContain('\\u202egnp.exe\\u001b[2J');
    }
  });

  it.each([
    ['a\u202eb', 'it has U+202E, which does not show'],
    ['a\u200bb', 'it has U+200B, which does not show'],
    ['a\u00a0b', 'it has U+00A0, which does not show'],
    ['\u0430b', 'its "\u0430" is U+0430'],
  ])('tells a letter that is seen as itself, another by its number alone: %j', (name, expected) => {
    const [mistake] = mistakesOf({ e: hr.entity(name, { keys: { a: hr.t.string() } }) });
    expect(mistake).toContain(`; ${expected}`);
    expect(mistake?.slice(mistake.indexOf('use '))).not.toMatch(/\p{Cf}/u);
  });

  it('of features and columns that differ only in case is told', () => {
    const columns = { at: hr.t.timestamp(), Ж: hr.t.string(), ж: hr.t.string() };
    const source = hr.parquet('s', { path: 'x', columns, eventTime: 'at' });
    expect(mistakesOf({ source })).toEqual([expect.stringContaining('column "ж" differs from "Ж" only in case')]);
  });
});

it.each([
  [50, undefined],
  [51, 'data is at most 50 levels deep, and does not hold itself'],
])('plain data may hold 50 levels of lists and objects, and not more: %i', (levels, expected) => {
  let value: unknown = 'x';
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { value };
  expect(dataMistake({ value })).toBe(expected);
});

describe('an option', () => {
  const columns = { id: hr.t.string(), at: hr.t.timestamp() };
  const service = hr.featureService('s', [delays]);
  const scored = hr.model('m', { features: service, outputs: { p: hr.t.float32() } });
  const source = (kind: string, more: object): unknown =>
    loose[kind]('src', { columns, eventTime: 'at', ...(kind === 'pushed' ? {} : { path: 'x' }), ...more });
  const one = hr.task(() => 1);
  const step = (action: Untyped, options?: object, ofPipeline?: object): unknown => {
    const p: Untyped = (hr.pipeline as Untyped)('p', ofPipeline);
    p.step('one', action, options);
    return p;
  };

  describe('an option that nothing knows', () => {
    const no = { nothing: 1 };
    const own = { connection: 'env:A', table: 'x' };
    const over = (options: object): unknown =>
      view('v', { features: { n: (hr.count() as Untyped).over('1d', options) } });
    const made = { inputs: { r: { x: hr.t.bool() } }, features: { y: hr.t.bool() }, transform: () => ({ y: true }) };
    const topic = { path: undefined, brokers: 'env:K', topic: 't', format: 'json' };
    const other = loose['pushed']('other', { columns, eventTime: 'at' });
    const inStep = (options: object): unknown => step(one, options);
    const kubernetes = { kind: 'kubernetes', namespace: 'n', image: 'i' };

    it.each<[where: string, object: unknown]>([
      ['entity "e": it', loose['entity']('e', { keys: { a: hr.t.string() }, ...no })],
      ['feature view "v": it', view('v', no)],
      ['on-demand view "o": it', loose['onDemandView']('o', { ...made, ...no })],
      ['feature service "s": it', loose['featureService']('s', [delays], no)],
      ['model "m": it', loose['model']('m', { features: service, outputs: { p: hr.t.float32() }, ...no })],
      ['endpoint "e": it', loose['endpoint']('e', { model: scored, ...no })],
      ...[
        ...['parquet', 'csv', 'iceberg', 'delta', 'pushed'].map((kind) => source(kind, no)),
        source('kafka', { ...topic, ...no }),
        ...['postgres', 'mysql', 'snowflake'].map((kind) => source(kind, { ...own, path: undefined, ...no })),
        source('query', { path: undefined, sql: 'SELECT 1', over: [other], ...no }),
      ].map((made): [string, unknown] => ['source "src": it', made]),
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
      ['pipeline "p": step "one": notebook(…)', step((hr.notebook as Untyped)('a.ipynb', no))],
      ['pipeline "p": step "one": shell(…)', step((hr.shell as Untyped)('make', no))],
      ['pipeline "p": step "one": container(…)', step((hr.container as Untyped)({ image: 'i', ...no }))],
      ['pipeline "p": step "one": materialize(…)', step((hr.materialize as Untyped)(no))],
      ['pipeline "p": step "one": evaluate(…)', step((hr.evaluate as Untyped)(scored, no))],
      ['pipeline "p": step "one": promote(…)', step((hr.promote as Untyped)(scored, { alias: 'a', ...no }))],
      ['pipeline "p": step "one": registerModel(…)', step(hr.registerModel(scored, no as Untyped))],
    ])('is refused: %s', (where, object) => {
      expect(mistakesOf({ object })).toEqual([
        expect.stringContaining(`features.ts: ${where} has no option "nothing".`),
      ]);
    });

    it('is refused of a window whose feature has a default, the nearest named', () => {
      const features = { n: (hr.mean('delay') as Untyped).over('1d', { hopp: '1h' }).default(1).describe('x') };
      expect(mistakesOf({ v: view('v', { features }) })).toEqual([
        'features.ts: feature view "v": feature "n": over(…) has no option "hopp". Did you mean "hop"?',
      ]);
    });

    it('is told what there is where nothing is near', () => {
      expect(mistakesOf({ e: loose['entity']('e', { keys: { a: hr.t.string() }, partition: 1 }) })).toEqual([
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
      const sources = ['parquet', 'pushed', 'postgres', 'query'];
      for (const kind of ['entity', ...sources, 'featureView', 'onDemandView', 'model', 'endpoint']) {
        const got = mistakesOf({ o: loose[kind]('x', options) });
        expect(got.join('\n'), kind).toMatch(/its options must be an object, got/);
      }
      expect(mistakesOf({ s: loose['featureService']('x', options) }).join('\n')).toMatch(/members/);
      const actions = [loose['trainingSet'](options), options];
      for (const action of actions) expect(mistakesOf({ p: step(action) }).join('\n')).toMatch(/step "one"/);
    });

    it.each([null, 'x', [], 3])('are refused where they may be left out: %o', (options) => {
      const said = (object: unknown): string => mistakesOf({ object }).join('\n');
      const over = view('v', { features: { n: (hr.count() as Untyped).over('1d', options) } });
      expect(said(loose['featureService']('s', [delays], options))).toMatch(/its options must be an object, got/);
      expect(said(step(one, options as Untyped))).toMatch(/step "one": its options must be an object, got/);
      expect(said(step(loose['python']('x.py', options)))).toMatch(/the options of python\(…\) must be an object, got/);
      expect(said(step(hr.registerModel(scored, options as Untyped)))).toMatch(
        /registerModel\(…\) must be an object, got/,
      );
      expect(said((hr.pipeline as Untyped)('p', options))).toMatch(/its options must be an object, got/);
      expect(said(over)).toMatch(/feature "n": the options of over\(…\) must be an object, got/);
    });
  });
});

describe('a former name', () => {
  const onDemand = (name: string, more: object = {}): unknown =>
    (hr.onDemandView as Untyped)(name, {
      inputs: { r: { x: hr.t.bool() } },
      features: { y: hr.t.bool() },
      transform: () => ({ y: true }),
      ...more,
    });

  const entity = (name: string, renamedFrom: string) => hr.entity(name, { keys: { id: hr.t.string() }, renamedFrom });
  const count = hr.count().over('1d');

  it('stands in the manifest, and nowhere without it', () => {
    const last = hr.latest('delay').renamedFrom('newest');
    const mean = hr.mean('delay').over('7d').default(0).renamedFrom('m7').describe('mean');
    const features = { last, mean, n: hr.count().over('1d') };
    const { manifest } = compile({
      e: entity('place', 'airfield'),
      v: view('late', { renamedFrom: 'lateness', features }),
      o: onDemand('soon', { renamedFrom: 'before' }),
    });
    expect(manifest.entities['place']).toMatchObject({ renamedFrom: 'airfield' });
    expect(manifest.entities['airport']).not.toHaveProperty('renamedFrom');
    const of = { name: 'mean', renamedFrom: 'm7', default: 0, description: 'mean' };
    const specs = [{ name: 'last', renamedFrom: 'newest' }, of, { name: 'n' }];
    expect(manifest.views['late']).toMatchObject({ renamedFrom: 'lateness', features: specs });
    expect(manifest.views['late']?.features[2]).not.toHaveProperty('renamedFrom');
    expect(manifest.onDemandViews['soon']).toMatchObject({ renamedFrom: 'before' });
    for (const spec of [...Object.values(manifest.views), ...Object.values(manifest.entities)])
      expect(spec).not.toHaveProperty('storedAs');
  });

  it('and the name under which data lies fit the manifest’s schema', () => {
    const { manifest } = compile({ delays });
    const named = (view: object) => ({ ...manifest, views: { delays: { ...manifest.views['delays'], ...view } } });
    const entities = { airport: { ...manifest.entities['airport'], storedAs: 'field' } };
    checkManifest({ ...named({ renamedFrom: 'x', storedAs: 'x' }), entities });
    expect(() => checkManifest(named({ storedAs: 3 }))).toThrow(/does not fit its schema/);
  });

  const cases: Readonly<Record<string, readonly [Readonly<Record<string, unknown>>, ...(string | RegExp)[]]>> = {
    'still another’s': [
      {
        e: entity('place', 'airport'),
        v: view('late', { renamedFrom: 'soon', features: { n: count, m: count.renamedFrom('n') } }),
        o: onDemand('soon', { renamedFrom: 'late' }),
      },
      'entity "place": renamedFrom names "airport", which an entity in features.ts still is. Rename that one, or leave renamedFrom out',
      'feature view "late": renamedFrom names "soon", which an on-demand view in features.ts still is.',
      'feature view "late": feature "m": renamedFrom names "n", which another feature still is.',
      'on-demand view "soon": renamedFrom names "late", which a feature view in features.ts still is.',
    ],
    'claimed twice': [
      {
        a: entity('a', 'x'),
        b: entity('b', 'x'),
        v: view('v', { renamedFrom: 'y', features: { n: count.renamedFrom('z'), m: count.renamedFrom('z') } }),
        o: onDemand('o', { renamedFrom: 'y' }),
      },
      'entity "b": entity "a" in features.ts is renamed from "x" too. One of them can be',
      'on-demand view "o": feature view "v" in features.ts is renamed from "y" too.',
      'feature view "v": feature "m": feature "n" is renamed from "z" too.',
    ],
    'no name': [
      {
        e: entity('e', 'a b'),
        v: view('v', { renamedFrom: 3, features: { n: (hr.count() as Untyped).over('1d').renamedFrom(null) } }),
        o: onDemand('o', { renamedFrom: 'a__b' }),
      },
      'entity "e": renamedFrom: "a b" is not a good name',
      'feature view "v": renamedFrom: a name must be text, got number 3',
      'feature view "v": feature "n": renamedFrom: a name must be text, got null',
      'on-demand view "o": renamedFrom: the name "a__b" is reserved',
    ],
  };

  it.each(Object.entries(cases))('is refused when it is %s', (_name, [objects, ...expected]) => {
    const got = mistakesOf(objects);
    expect(got).toHaveLength(expected.length);
    for (const part of expected) expect(got.join('\n')).toContain(part);
  });

  it('is fine when it was another kind’s, or differs in case', () => {
    const v = view('airports', { renamedFrom: 'airport', features: { N: count.renamedFrom('n') } });
    expect(mistakesOf({ v })).toEqual([]);
  });

  it('is told at its place', async () => {
    const details = await loadingMistakes({
      'x.ts': `import { entity, featureView, latest, parquet, t } from 'headrace';
const e = entity('e', { keys: { id: t.string() }, renamedFrom: 'e' });
const s = parquet('s', { path: 'x', columns: { id: t.string(), at: t.timestamp() }, eventTime: 'at' });
export const v = featureView('v', { entity: e, source: s, features: { n: latest('id').renamedFrom('n') } });`,
    });
    expect(details.map(({ path }) => path)).toEqual(['x.ts:2:51: entity "e"', 'x.ts:4:99: feature view "v"']);
  });
});
