// Random endpoints and experiments with requests for them: arms of several ranges, namespaces, holdouts, rules, conditions, units
// that are not ASCII.

import fc from 'fast-check';
import type { Condition, Field, Value } from '../../src/core/index.ts';
import { type BucketRange, BUCKETS, type LiveExperiment, moveBuckets, type Variant } from '../../src/registry/index.ts';

export const COLUMNS: readonly Field[] = [
  { name: 'uid', type: { kind: 'string' } },
  { name: 'account', type: { kind: 'int64' } },
  { name: 'isNew', type: { kind: 'bool' } },
  { name: 'score', type: { kind: 'float64' } },
  { name: 'tags', type: { kind: 'list', of: { kind: 'string' } } },
];

export type Attributes = Readonly<Record<string, unknown>>;

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom('', 'ATL', 'é', '日本', '👩‍👩‍👧', '0', 'null', '1.2.3', '1.10.0'),
);
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 6, arbitrary }, { weight: 1, arbitrary: fc.constant(null) });
export const attributes: fc.Arbitrary<Attributes> = fc.record({
  uid: orNull(text),
  account: orNull(fc.oneof(fc.integer(), fc.integer({ min: -3, max: 3 }), fc.maxSafeInteger())),
  isNew: orNull(fc.boolean()),
  score: orNull(fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -3, max: 3 }))),
  tags: orNull(fc.array(fc.constantFrom('a', 'b', 'c', 'é'), { maxLength: 3 })),
});

export function rowOf(given: Attributes): Value[] {
  return COLUMNS.map(({ name, type }) => {
    const value = given[name] as Value;
    return type.kind === 'int64' && value !== null ? BigInt(value as number) : value;
  });
}

const literal = fc.oneof(
  fc.constantFrom('ATL', 'a', 'é', 'null', '1.2.3'),
  fc.integer({ min: -3, max: 3 }),
  fc.boolean(),
  fc.constant(null),
);
const list = fc.array(literal, { maxLength: 3 });
const comparable = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom('', 'ATL', 'é', '2'));
const operators: fc.Arbitrary<Condition> = fc.letrec<{ test: Condition }>((tie) => ({
  test: fc.oneof(
    fc.constantFrom('$eq', '$ne').chain((operator) => literal.map((operand) => ({ [operator]: operand }))),
    fc
      .constantFrom('$lt', '$lte', '$gt', '$gte')
      .chain((operator) => comparable.map((operand) => ({ [operator]: operand }))),
    fc
      .constantFrom('$in', '$nin', '$ini', '$nini', '$all', '$alli')
      .chain((operator) => list.map((operand) => ({ [operator]: operand }))),
    fc
      .constantFrom('$veq', '$vne', '$vlt', '$vlte', '$vgt', '$vgte')
      .chain((operator) =>
        fc.constantFrom('1.2.3', 'v1.10', '1.2.3-rc.1', '2').map((operand) => ({ [operator]: operand })),
      ),
    fc.boolean().map((operand) => ({ $exists: operand })),
    fc.constantFrom('^A', 'é', '.', 'l{2}', '/a/').map((operand) => ({ $regex: operand })),
    fc.constantFrom('atl', 'É').map((operand) => ({ $regexi: operand })),
    fc.constantFrom('string', 'number', 'boolean', 'array', 'null').map((operand) => ({ $type: operand })),
    fc.oneof(fc.nat(3), tie('test')).map((operand) => ({ $size: operand })),
    tie('test').map((operand) => ({ $not: operand })),
    fc.oneof(tie('test'), fc.constant({})).map((operand) => ({ $elemMatch: operand })),
    fc.tuple(tie('test'), tie('test')).map(([one, other]) => ({ ...one, ...other })),
  ),
})).test;
const names = fc.constantFrom(...COLUMNS.map(({ name }) => name), 'tags.0', 'tags.length', 'uid.x');
const condition: fc.Arbitrary<Condition> = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small' },
    fc.tuple(names, fc.oneof(operators, literal, list)).map(([name, test]) => ({ [name]: test })),
    fc
      .tuple(fc.constantFrom('$and', '$or', '$nor'), fc.array(tie('condition'), { maxLength: 2 }))
      .map(([operator, all]) => ({ [operator]: all })),
    tie('condition').map((one) => ({ $not: one })),
    fc.tuple(tie('condition'), tie('condition')).map(([one, other]) => ({ ...one, ...other })),
  ),
})).condition;

/** Some of a whole, in pieces that do not overlap, dealt to so many. */
function pieces(owners: number): fc.Arbitrary<BucketRange[][]> {
  return fc
    .tuple(
      fc.uniqueArray(fc.integer({ min: 1, max: BUCKETS - 1 }), { minLength: 1, maxLength: 7 }),
      fc.array(fc.integer({ min: -1, max: owners - 1 }), { minLength: 8, maxLength: 8 }),
    )
    .map(([cuts, dealt]) => {
      const bounds = [0, ...cuts.toSorted((one, other) => one - other), BUCKETS];
      const all = Array.from({ length: owners }, (): BucketRange[] => []);
      for (let at = 0; at < bounds.length - 1; at++) {
        all[dealt[at] as number]?.push([bounds[at] as number, bounds[at + 1] as number]);
      }
      return all;
    });
}

const unit = fc.constantFrom(
  ['uid'],
  ['account'],
  ['isNew'],
  ['score'],
  ['uid', 'account'],
  ['tags', 'isNew', 'score'],
);
export const experiment = (name: string): fc.Arbitrary<LiveExperiment> =>
  fc.integer({ min: 1, max: 3 }).chain((arms) =>
    fc.record({
      name: fc.constant(name),
      phase: fc.integer({ min: 1, max: 3 }),
      seed: fc.constantFrom(name, 'sêed', '0'),
      unit,
      namespace: orNull(
        fc.record({
          seed: fc.constantFrom('room', 'räume'),
          ranges: fc.constantFrom<[number, number][]>(
            [[0, 0.5]],
            [[0.25, 1]],
            [
              [0, 0.1],
              [0.3, 0.7],
            ],
            [[0.3333, 0.6667]],
          ),
        }),
      ),
      when: orNull(condition),
      arms: pieces(arms).map((all) => all.map((ranges, at) => ({ name: `arm${at}`, version: at + 1, ranges }))),
    }),
  );

/** As several changes of weights leave them: of several ranges each. */
const variants: fc.Arbitrary<readonly Variant[]> = fc
  .array(fc.array(fc.integer({ min: 0, max: 3300 }), { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 4 })
  .map((history) => {
    let held: Variant[] = [];
    for (const widths of history) {
      const rest = BUCKETS - widths.reduce((sum, width) => sum + width, 0);
      const asked = [...widths, rest].map((width, at) => ({
        name: ['a', 'b', 'c', 'stable'][at] as string,
        version: at + 1,
        weight: width / 100,
      }));
      const ranges = moveBuckets(held, asked);
      held = asked.map((one, at) => ({ ...one, ranges: ranges[at] ?? [] }));
    }
    return held;
  });

export const endpoint = fc.record({
  variants,
  salt: fc.constantFrom('salt', '日', '0011223344556677'),
  experiments: fc.oneof<fc.Arbitrary<readonly LiveExperiment[]>[]>(
    fc.constant([]),
    experiment('one').map((one) => [one]),
    fc.tuple(experiment('one'), experiment('two')),
  ),
  unit,
  rules: fc.array(fc.record({ when: condition, variant: fc.constantFrom('stable', 'a', 'gone', 'one/arm0') }), {
    maxLength: 2,
  }),
  holdout: fc.option(
    fc.record({ name: fc.constantFrom('held', 'zurück'), percent: fc.constantFrom(0, 0.5, 20, 100) }),
    { nil: undefined },
  ),
});

/** What an SDK is given besides the request's columns. */
export function attributesOf(given: Attributes, units: readonly (readonly string[])[]): Attributes {
  const several = units.find(({ length }) => length > 1);
  if (several === undefined) return given;
  return { ...given, unit: JSON.stringify(several.map((column) => given[column])) };
}
