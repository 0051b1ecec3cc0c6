// `expect` on sources and views: what is written compiles to rules, what can't be meant is a mistake that says so, and a
// rule is meaning only where it sets rows apart.

import { describe, expect, it } from 'vitest';
import { showRule, viewVersion } from '../../src/definitions/index.ts';
import { entity, featureView, kafka, latest, parquet, pushed, t } from '../../src/index.ts';
import { compile, mistakesOf, type Untyped } from '../support/written-definitions.ts';

const columns = {
  id: t.int64(),
  shop: t.string(),
  price: t.float64(),
  sold: t.bool(),
  tags: t.list(t.string()),
  at: t.timestamp(),
};
const key = entity('shop', { keys: { shop: t.string() } });

const source = (expectation: Untyped) =>
  parquet('sales', {
    path: 'x.parquet',
    columns,
    derive: { double: [t.float64(), (row) => (row.price === null ? null : row.price * 2)] },
    eventTime: 'at',
    expect: expectation,
  });
const view = (expectation: Untyped, over = source(undefined)) =>
  featureView('v', { entity: key, source: over, features: { last: latest('price') }, expect: expectation });
const rulesOf = (expectation: Untyped) => compile({ s: source(expectation) }).manifest.sources['sales']?.expect;

describe('expect compiles', () => {
  it('one block to its rules, which warn unless it says otherwise', () => {
    expect(
      rulesOf({
        notNull: ['id', 'double'],
        between: { price: [-1.5, null], id: [1, 2n ** 60n], at: ['2020-01-01', new Date('2030-01-01')] },
        oneOf: { shop: ['b', 'a', 'b'], sold: [true], id: [5n, 3] },
        unique: ['id', ['shop', 'at']],
        fresh: '2h',
        rowCount: { min: 1, max: 10 },
      }),
    ).toEqual([
      { rule: 'notNull', column: 'id', onFail: 'warn' },
      { rule: 'notNull', column: 'double', onFail: 'warn' },
      { rule: 'between', column: 'price', min: -1.5, max: null, onFail: 'warn' },
      { rule: 'between', column: 'id', min: 1, max: 2n ** 60n, onFail: 'warn' },
      { rule: 'between', column: 'at', min: '2020-01-01T00:00:00Z', max: '2030-01-01T00:00:00Z', onFail: 'warn' },
      { rule: 'oneOf', column: 'shop', values: ['a', 'b'], onFail: 'warn' },
      { rule: 'oneOf', column: 'sold', values: [true], onFail: 'warn' },
      { rule: 'oneOf', column: 'id', values: [3, 5], onFail: 'warn' },
      { rule: 'unique', columns: ['id'], onFail: 'warn' },
      { rule: 'unique', columns: ['shop', 'at'], onFail: 'warn' },
      { rule: 'fresh', withinMicros: 7_200_000_000, onFail: 'warn' },
      { rule: 'rowCount', min: 1, max: 10, onFail: 'warn' },
    ]);
  });

  it('several blocks side by side, each with its severity', () => {
    const written = [{ notNull: ['id'], onFail: 'fail' }, { between: { price: [0, 9] }, onFail: 'quarantine' }, {}];
    expect(rulesOf(written.slice(0, 2))?.map((one) => [showRule(one), one.onFail])).toEqual([
      ['notNull(id)', 'fail'],
      ['between(price, 0 … 9)', 'quarantine'],
    ]);
  });

  it("a view's, by its features", () => {
    const { manifest } = compile({ v: view({ notNull: ['last'], between: { last: [0, 10] }, rowCount: { min: 3 } }) });
    const rules = manifest.views['v']?.expect?.map(showRule);
    expect(rules).toEqual(['notNull(last)', 'between(last, 0 … 10)', 'rowCount(3 …)']);
  });
});

// What each mistake says is held by `definitions-mistakes-page.test.ts`.
describe('what can not be meant is a mistake', () => {
  it.each<[string, Untyped, RegExp]>([
    ['NaN for an end', { between: { price: [Number.NaN, 1] } }, /"price" must be of float64, got number NaN/],
    ['values of another type', { oneOf: { shop: ['a', 7] } }, /expect.oneOf "shop" must be of string, got number 7/],
    ['values of a list', { oneOf: { tags: [['a']] } }, /needs a single value, and column "tags" is list\(string\)/],
  ])('%s', (_, written, message) => {
    expect(mistakesOf({ s: source(written) })).toEqual([expect.stringMatching(message)]);
  });

  it('of pushed rows: setting those apart that came twice', () => {
    const events = (onFail: Untyped) => pushed('p', { columns, eventTime: 'at', expect: { unique: ['id'], onFail } });
    expect(mistakesOf({ events: events('quarantine') })[0]).toMatch(/pushed rows are not compared when they come/);
    expect(mistakesOf({ events: events('fail') })).toEqual([]);
    const where = { brokers: 'env:BROKERS', topic: 't', format: 'json' } as const;
    const messages = kafka('m', {
      ...where,
      columns,
      eventTime: 'at',
      expect: { unique: ['id'], onFail: 'quarantine' },
    });
    expect(mistakesOf({ messages })[0]).toMatch(/pushed rows are not compared when they come/);
  });
});

describe("a view's version", () => {
  const version = (expectation: Untyped, ofView?: Untyped) =>
    viewVersion(compile({ v: view(ofView, source(expectation)) }).manifest, 'v');
  const before = version(undefined);

  it('stays where rows are counted or refused, or values are expected of the view', () => {
    expect(version({ notNull: ['id'], between: { price: [0, 1] } })).toBe(before);
    expect(version({ notNull: ['id'], onFail: 'fail' })).toBe(before);
    expect(version(undefined, { notNull: ['last'], onFail: 'fail' })).toBe(before);
  });

  it('is another where rows are set apart, by each such rule, in whatever order', () => {
    const rules = [
      { notNull: ['id'], onFail: 'quarantine' },
      { between: { price: [0, 1] }, onFail: 'quarantine' },
    ];
    const after = version(rules);
    expect(after).not.toBe(before);
    expect(version(rules.toReversed())).toBe(after);
    expect(version(rules.slice(0, 1))).not.toBe(after);
    expect(version([...rules, { fresh: '1h' }])).toBe(after);
  });
});
