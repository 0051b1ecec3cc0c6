// What two versions say of one row, compared: by label, by number, by what their outputs have in common.

import { describe, expect, it } from 'vitest';
import type { Field, Value } from '../../src/core/index.ts';
import { compileComparison } from '../../src/serving/shadow/compare-outputs.ts';

const field = (name: string, kind: 'float32' | 'int64' | 'string' | 'bool'): Field => ({ name, type: { kind } });
const compare = (fields: readonly Field[], answered: readonly Value[], shadowed: readonly Value[]) => ({
  ...compileComparison(fields, fields)(answered, shadowed),
});
const score = field('score', 'float32');

describe('outputs', () => {
  it.each([
    [1, 1, true],
    [1, 1.01, true],
    [1.02, 1, false],
    [-1, -1.009, true],
    [-1, 1, false],
    [0, 0, true],
    [0, 1e-9, false],
    [0, -0, true],
    [NaN, NaN, true],
    [NaN, 1, false],
    [Infinity, Infinity, true],
    [Infinity, 1, false],
    [Infinity, -Infinity, false],
    [null, 1, false],
  ] as const)('agree as numbers within 1 %% of the larger: %s and %s: %s', (a, b, isAgreed) => {
    expect(compare([score], [a], [b])).toMatchObject({ isAgreed });
    expect(compare([score], [b], [a])).toMatchObject({ isAgreed });
  });

  const vector: Field = { name: 'probabilities', type: { kind: 'vector', size: 2 } };
  const of = (...values: number[]) => Float32Array.from(values);
  const label = field('label', 'string');
  it.each<[what: string, fields: Field[], answered: Value[], shadowed: Value[], told: object]>([
    ['as the same label', [label], ['late'], ['late'], { isAgreed: true }],
    ['as labels', [label], ['late'], ['on time'], { isAgreed: false }],
    [
      'as 1 and 0',
      [field('late', 'bool')],
      [true],
      [false],
      { isAgreed: false, difference: 1, answered: 1, shadowed: 0 },
    ],
    // One that only nears another number is another class.
    ['as classes', [field('class', 'int64')], [2n], [3n], { isAgreed: false }],
    [
      'by their labels where they have some, scored by their numbers',
      [field('label', 'int64'), score],
      [1n, 0.5],
      [1n, 0.75],
      { isAgreed: true, difference: 0.25, answered: 0.5, shadowed: 0.75 },
    ],
    // Whole numbers beside others are labels, though 300 is near 301.
    ['by whole labels', [field('label', 'int64'), score], [300n, 0.5], [301n, 0.5], { isAgreed: false }],
    [
      'by a named label',
      [label, field('count', 'int64')],
      ['a', 100n],
      ['a', 200n],
      { isAgreed: true, difference: 100 },
    ],
    [
      'by the mean of several numbers, scored by the last',
      [vector],
      [of(0.75, 0.25)],
      [of(0.5, 0.5)],
      { isAgreed: false, difference: 0.25, answered: 0.25, shadowed: 0.5 },
    ],
    ['as the same numbers', [vector], [of(0.75, 0.25)], [of(0.75, 0.25)], { isAgreed: true }],
    ['by no number', [score], [1], [NaN], { isAgreed: false, difference: NaN, shadowed: NaN }],
    ['by no finite number', [score], [1], [Infinity], { difference: NaN }],
  ])('are judged %s', (_what, fields, answered, shadowed, told) => {
    expect(compare(fields, answered, shadowed)).toMatchObject(told);
  });

  it('are found by name, and without any in common never agree', () => {
    const both = compileComparison([label, score], [score, field('more', 'string')]);
    expect(both(['late', 0.5], [0.5, 'late'])).toMatchObject({ isAgreed: true, difference: 0 });
    const none = { isAgreed: false, difference: NaN, answered: undefined, shadowed: undefined };
    expect(compileComparison([label, score], [field('other', 'float32')])(['late', 0.5], [0.5])).toEqual(none);
    // A text and a number are nothing that can be compared.
    expect(compileComparison([field('x', 'string')], [field('x', 'float32')])(['1'], [1]).isAgreed).toBe(false);
  });
});
