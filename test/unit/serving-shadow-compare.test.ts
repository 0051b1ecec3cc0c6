// What two versions say of one row, compared: by label, by number, by what their outputs have in common.

import { describe, expect, it } from 'vitest';
import type { Field, Value } from '../../src/core/index.ts';
import { compileComparison } from '../../src/serving/shadow/compare-outputs.ts';

const field = (name: string, kind: 'float32' | 'int64' | 'string' | 'bool'): Field => ({ name, type: { kind } });
const vector = (name: string, size: number): Field => ({ name, type: { kind: 'vector', size } });

const compare = (fields: readonly Field[], answered: readonly Value[], shadowed: readonly Value[]) => ({
  ...compileComparison(fields, fields)(answered, shadowed),
});
const agree = (fields: readonly Field[], answered: Value, shadowed: Value): boolean =>
  compare(fields, [answered], [shadowed]).isAgreed;

describe('outputs', () => {
  const number = [field('score', 'float32')];

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
    expect(agree(number, a, b)).toBe(isAgreed);
    expect(agree(number, b, a)).toBe(isAgreed);
  });

  it('agree as labels where they are the same', () => {
    const label = [field('label', 'string')];
    expect(agree(label, 'late', 'late')).toBe(true);
    expect(agree(label, 'late', 'on time')).toBe(false);
    expect(agree([field('late', 'bool')], true, false)).toBe(false);
    // One that only nears another number is another class.
    expect(agree([field('class', 'int64')], 2n, 3n)).toBe(false);
  });

  it('are judged by their labels where they have some, and scored by their numbers', () => {
    const fields = [field('label', 'int64'), field('score', 'float32')];
    expect(compare(fields, [1n, 0.5], [1n, 0.75])).toEqual({
      isAgreed: true,
      difference: 0.25,
      answered: 0.5,
      shadowed: 0.75,
    });
    // Whole numbers beside others are labels, though 300 is near 301.
    expect(compare(fields, [300n, 0.5], [301n, 0.5]).isAgreed).toBe(false);
    const named = [field('label', 'string'), field('count', 'int64')];
    expect(compare(named, ['a', 100n], ['a', 200n])).toMatchObject({ isAgreed: true, difference: 100 });
  });

  it('of several numbers differ by their mean, and are scored by the last', () => {
    const fields = [vector('probabilities', 2)];
    const of = (...values: number[]) => [Float32Array.from(values)];
    expect(compare(fields, of(0.75, 0.25), of(0.5, 0.5))).toEqual({
      isAgreed: false,
      difference: 0.25,
      answered: 0.25,
      shadowed: 0.5,
    });
    expect(compare(fields, of(0.75, 0.25), of(0.75, 0.25)).isAgreed).toBe(true);
  });

  it('have no difference where that is no finite number', () => {
    expect(compare(number, [1], [NaN])).toMatchObject({ isAgreed: false, difference: NaN, shadowed: NaN });
    expect(compare(number, [1], [Infinity])).toMatchObject({ difference: NaN });
  });

  it('are found by name, and without any in common never agree', () => {
    const answered = [field('label', 'string'), field('score', 'float32')];
    const shadowed = [field('score', 'float32'), field('more', 'string')];
    expect(compileComparison(answered, shadowed)(['late', 0.5], [0.5, 'late'])).toMatchObject({
      isAgreed: true,
      difference: 0,
    });
    expect(compileComparison(answered, [field('other', 'float32')])(['late', 0.5], [0.5])).toEqual({
      isAgreed: false,
      difference: NaN,
      answered: undefined,
      shadowed: undefined,
    });
    // A text and a number are nothing that can be compared.
    expect(compileComparison([field('x', 'string')], [field('x', 'float32')])(['1'], [1]).isAgreed).toBe(false);
  });

  it('that are true or false are scored as 1 and 0', () => {
    expect(compare([field('late', 'bool')], [true], [false])).toMatchObject({
      difference: 1,
      answered: 1,
      shadowed: 0,
    });
  });
});
