// Names in any script: columns may have them, since the data has them; names of our own objects say what they may be.

import { describe, expect, it } from 'vitest';
import {
  endpoint,
  entity,
  featureService,
  featureView,
  latest,
  model,
  onDemandView,
  parquet,
  pipeline,
  t,
  task,
} from '../../src/index.ts';
import { airport, compile, delays, mistakesOf, type Untyped, view } from '../support/written-definitions.ts';

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
  (onDemandView as Untyped)(name, {
    inputs: { [input]: { x: t.bool() } },
    features: { [output]: t.bool() },
    transform: () => ({ [output]: true }),
  });
const service = featureService('s', [delays]);
const scored = model('m', { features: service, outputs: { p: t.float32() } });

/** One object for each name that becomes part of others, is served, or is shown. */
const ROLES: Readonly<Record<string, (name: string) => unknown>> = {
  entity: (name) => entity(name, { keys: { a: t.string() } }),
  key: (name) => entity('e', { keys: { [name]: t.string() } }),
  source: (name) => parquet(name, { path: 'x', columns: { at: t.timestamp() }, eventTime: 'at' }),
  view: (name) => view(name, {}),
  feature: (name) => view('v', { features: { [name]: latest('delay') } }),
  'on-demand view': (name) => onDemand(name),
  'on-demand feature': (name) => onDemand('o', name),
  input: (name) => onDemand('o', 'y', name),
  role: (name) => featureService('s2', [delays.as(name)]),
  service: (name) => featureService(name, [delays]),
  model: (name) => model(name, { features: service, outputs: { p: t.float32() } }),
  output: (name) => model('m2', { features: service, outputs: { [name]: t.float32() } }),
  endpoint: (name) => endpoint(name, { model: scored }),
  pipeline: (name) => {
    const p = pipeline(name);
    p.step(
      'one',
      task(() => 1),
    );
    return p;
  },
  step: (name) => {
    const p = pipeline('p');
    p.step(
      name,
      task(() => 1),
    );
    return p;
  },
  parameter: (name) => {
    const p = pipeline('p', { params: { [name]: t.int32() } });
    p.step(
      'one',
      task(() => 1),
    );
    return p;
  },
};

describe('a name', () => {
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
    const source = parquet('s', {
      path: 'x',
      columns: { [name]: t.string(), at: t.timestamp() },
      derive: { [`${name}2`]: [t.string(), () => null] },
      eventTime: 'at',
    } as Untyped);
    const made = featureView('v', {
      entity: airport,
      source,
      keys: { airport: name },
      features: { a: latest(name), b: latest(`${name}2`) },
    } as Untyped);
    const { manifest } = compile({ made, s: featureService('svc', [(made as Untyped).as('r', { airport: name })]) });
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
    const source = parquet('s', { path: 'x', columns: { [name]: t.string(), at: t.timestamp() }, eventTime: 'at' });
    const got = mistakesOf({ source });
    expect(got).toEqual([expect.stringMatching(expected)]);
    expect(got[0]?.length).toBeLessThan(250);
  });

  it('turns no line around and moves no cursor where it is told', () => {
    const name = 'a\u202egnp.exe\u001b[2J';
    const got = mistakesOf({
      e: entity(name, { keys: { a: t.string() } }),
      v: view('v', { features: { f: latest(name) }, [name]: 1 }),
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
    const [mistake] = mistakesOf({ e: entity(name, { keys: { a: t.string() } }) });
    expect(mistake).toContain(`; ${expected}`);
    expect(mistake?.slice(mistake.indexOf('use '))).not.toMatch(/\p{Cf}/u);
  });

  it('of features and columns that differ only in case is told', () => {
    const source = parquet('s', {
      path: 'x',
      columns: { at: t.timestamp(), Ж: t.string(), ж: t.string() },
      eventTime: 'at',
    });
    expect(mistakesOf({ source })).toEqual([expect.stringContaining('column "ж" differs from "Ж" only in case')]);
  });
});
