// The special functions close to the ends of their ranges, where digits are lost first; against closed forms.

import { describe, expect, it } from 'vitest';
import { betaI } from '../../src/statistics/special/incomplete-beta.ts';
import { studentTQuantile, studentTTwoSidedP } from '../../src/statistics/special/student-t.ts';

describe('the incomplete beta function', () => {
  // I_x(a, 1) = x^a.
  it.each([
    [1e6, 1e-6],
    [1e10, 1e-10],
    [2e9, 0.5e-9],
    [3, 0.4],
    [3, 0.6],
  ])('keeps its digits next to one, of which the caller knows what is left: I(a = %d) at 1 − %d', (a, rest) => {
    const wanted = Math.exp(a * Math.log1p(-rest));
    expect(Math.abs(betaI(a, 1, 1 - rest, rest) / wanted - 1)).toBeLessThan(1e-11);
  });

  // I_x(1, b) = 1 − (1 − x)^b.
  it.each([
    [100, 1e-12],
    [2, 0.25],
    [2, 0.75],
  ])('keeps its digits next to zero: I(b = %d) at %d', (b, x) => {
    const wanted = -Math.expm1(b * Math.log1p(-x));
    expect(Math.abs(betaI(1, b, x) / wanted - 1)).toBeLessThan(1e-11);
  });

  it('is 0 and 1 at the ends, and the two tails together are 1', () => {
    expect([betaI(2, 3, 0), betaI(2, 3, -1), betaI(2, 3, 1), betaI(2, 3, 0.5, 0)]).toEqual([0, 0, 1, 1]);
    for (const x of [0.1, 0.4999, 0.5, 0.5001, 0.9]) expect(betaI(2.5, 4, x) + betaI(4, 2.5, 1 - x)).toBeCloseTo(1, 14);
  });
});

describe('Student’s t', () => {
  it('is nothing without a degree of freedom, and the normal with very many', () => {
    expect([studentTTwoSidedP(1, 0), studentTTwoSidedP(1, -1), studentTTwoSidedP(NaN, 5)]).toEqual([NaN, NaN, NaN]);
    expect([studentTQuantile(0, 5), studentTQuantile(1, 5), studentTQuantile(0.05, 0)]).toEqual([NaN, NaN, NaN]);
    expect([studentTTwoSidedP(Infinity, 5), studentTTwoSidedP(0, 5)]).toEqual([0, 1]);
    expect(studentTQuantile(0.05, 1e9)).toBeCloseTo(1.959_963_984_540_054, 9);
    expect(studentTQuantile(0.5, 1e9)).toBeCloseTo(0.674_489_750_196_082, 9);
    expect(studentTTwoSidedP(1, 1e9)).toBeCloseTo(studentTTwoSidedP(1, 9e7), 8);
  });

  it.each([
    [0.05, 1],
    [0.05, 3.5],
    [0.001, 200],
    [0.9, 2],
  ])('has the quantile of alpha %d at %d degrees of freedom where its p is alpha', (alpha, df) => {
    expect(studentTTwoSidedP(studentTQuantile(alpha, df), df) / alpha).toBeCloseTo(1, 10);
  });

  // With one degree of freedom it is Cauchy's: P(|T| ≥ t) = 1 − 2 atan(t)/π. With two: 1 − t/√(2 + t²).
  it.each([1e-9, 0.5, 1, 3, 1e6])('is what it is in closed form for one and two degrees of freedom: t = %d', (t) => {
    expect(Math.abs(studentTTwoSidedP(t, 1) / ((2 / Math.PI) * Math.atan(1 / t)) - 1)).toBeLessThan(1e-12);
    const two = 2 / (Math.sqrt(2 + t * t) * (Math.sqrt(2 + t * t) + t));
    expect(Math.abs(studentTTwoSidedP(t, 2) / two - 1)).toBeLessThan(1e-12);
  });
});
