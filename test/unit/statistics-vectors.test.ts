// Every formula of src/statistics against figures that were computed elsewhere: published vectors, and scipy 1.17 where a
// comment says so.

import { describe, expect, it } from 'vitest';
import * as stats from '../../src/statistics/index.ts';
import { betaI } from '../../src/statistics/special/incomplete-beta.ts';

/** Equal to the digits that are given. */
function expectDigits(value: number, told: string): void {
  const decimals = told.split('.')[1]?.length ?? 0;
  expect(value.toFixed(decimals)).toBe(told);
}

/** Equal but for a relative part in 10¹¹. */
function expectNear(value: number, told: number, within = 1e-11): void {
  expect(Math.abs(value - told)).toBeLessThanOrEqual(within * Math.abs(told));
}

describe('distances of distributions', () => {
  const ref = [16, 18, 16, 14, 12, 12];
  const cur = [16, 16, 16, 16, 16, 8];

  it('are those of the published counts', () => {
    expectDigits(stats.chiSquareAgainst(ref, cur), '0.67309');
    // Published as .06812: cut, not rounded (the rest by numpy).
    expectNear(stats.hellinger(ref, cur), 0.06812774370983354);
    expectDigits(stats.psi(ref, cur, 0), '0.0372183816');
    expectDigits(stats.kl(ref, cur), '0.0189096770');
    expectDigits(stats.jensenShannon(ref, cur), '0.0680481962');
    expectDigits(stats.lInfinity(ref, cur), '0.0454545');
  });

  it('of two samples by χ² is that of their table (scipy)', () => {
    expectNear(stats.chiSquareTwoSample(ref, cur), 0.8985262394026607);
    expectNear(stats.chiSquareTwoSample([...ref, 0], [...cur, 0]), 0.8985262394026607);
  });

  const a = [38.7, 41.5, 43.8, 44.5, 45.5, 46, 47.7, 58];
  const b = [39.2, 39.3, 39.7, 41.4, 41.8, 42.9, 43.3, 45.8];

  it('of two samples’ values are those published', () => {
    const { distance, p } = stats.kolmogorovSmirnov(a, b);
    expect(distance).toBe(0.625);
    expectDigits(p, '0.0870240870');
    expectDigits(stats.wasserstein(a, b), '4.1625');
  });

  it('of samples of other sizes are scipy’s', () => {
    const x = [2.041, -2.556, 0.418, -0.568, -0.453, -0.216, -2.02, -0.232, -0.865, 3.323, 0.226, -0.353, -0.281];
    const y = [
      0.032, -0.355, 0.309, 1.182, 0.461, 1.658, 0.5, 0.724, 2.246, 1.245, 0.195, 0.517, 1.241, 2.635, 0.43, 0.456,
      1.702, -0.186, 0.408, 1.583, 1.28,
    ];
    const { distance, p } = stats.kolmogorovSmirnov(x, y);
    expectNear(distance, 0.6446886446886447);
    expectNear(p, 0.0010239985234224357);
    expectNear(stats.wasserstein(x, y), 1.1571684981684982);
    expect(stats.kolmogorovSmirnov(x, x)).toEqual({ distance: 0, p: 1 });
  });

  it('of greater samples have scipy’s p, and of great ones the limit’s, within a tenth', () => {
    const samples = (n: number, m: number, power: number) =>
      [
        Array.from({ length: n }, (_, i) => (i + 0.5) / n),
        Array.from({ length: m }, (_, i) => ((i + 0.5) / m) ** power),
      ] as const;
    const exact = stats.kolmogorovSmirnov(...samples(3000, 2000, 1.1));
    expectNear(exact.distance, 0.035333333333333335);
    expectNear(exact.p, 0.09828978770326639);
    const limit = stats.kolmogorovSmirnov(...samples(8000, 5000, 1.07));
    expectNear(limit.p, 0.04165640200250803, 0.1);
  });
});

describe('experiments', () => {
  const control = stats.meanEstimate({ n: 3407, sum: 1396.87, squares: 52377.9767 });
  const treatment = stats.meanEstimate({ n: 3461, sum: 2422.7, squares: 134698.29 });

  it('have the published lift, interval and p', () => {
    const lift = stats.relativeLift(control, treatment);
    if (lift === undefined) throw new Error('the control has a mean');
    expectDigits(lift.estimate, '0.70732');
    expectDigits(lift.se, '0.37879');
    const { p, lo, hi } = stats.fixedHorizon(lift, 0.05);
    expectDigits(p, '0.06191');
    expectDigits(lo, '-0.03526');
    expectDigits(hi, '1.44989');
  });

  it('have the published difference and p', () => {
    const difference = stats.welch(control, treatment);
    expectDigits(difference.estimate, '0.29');
    expectDigits(stats.fixedHorizon(difference, 0.05).p, '0.02016');
    // scipy
    expectNear(difference.df, 5841.742032093565);
  });

  it('have GrowthBook’s sequential interval: τ = ρσ', () => {
    expectNear(stats.sequentialRho(0.05, 5000), 0.03984006677137368);
    const lift = stats.relativeLift(control, treatment);
    if (lift === undefined) throw new Error('the control has a mean');
    const { lo, hi } = stats.alwaysValid(lift, 0.05);
    // √(se²N) √(2(Nρ² + 1) ln(√(Nρ² + 1)/α) / (Nρ)²), by numpy.
    expectNear((hi - lo) / 2, 1.1517408422996414);
    const tau = stats.sequentialTau({ se: lift.se, n: lift.n, alpha: 0.05, units: 5000 });
    expectNear(tau, 0.03984006677137368 * lift.se * Math.sqrt(6868));
    expect(stats.alwaysValid(lift, 0.05, { tau })).toEqual(stats.alwaysValid(lift, 0.05));
  });

  it('adjust p-values as Holm, and Benjamini and Hochberg (scipy) do', () => {
    const ps = [0.01, 0.04, 0.03, 0.005, 0.5];
    expect(stats.holm(ps).map((p) => Number(p.toFixed(12)))).toEqual([0.04, 0.09, 0.09, 0.025, 0.5]);
    expect(stats.benjaminiHochberg(ps).map((p) => Number(p.toFixed(12)))).toEqual([0.025, 0.05, 0.05, 0.025, 0.5]);
  });
});

describe('always-valid statistics (numpy)', () => {
  const minutes = [
    [3, 2, 0.01],
    [0, 0, 0.05],
    [10, 4, 0.05],
    [7, 1, 0.25],
  ] as const;

  it.each([
    ['rise', 0, 23.134250154735994],
    ['rise', 0.2, 11.107566026627657],
    ['drop', 0, 0.18275959289618485],
    ['drop', -0.1, 0.17691654923684755],
  ] as const)('events for a %s past a tolerance of %d', (thetas, tolerance, told) => {
    const test = stats.createEventTest({ thetas, tolerance, alpha: 0.05 });
    for (const [k, kc, w] of minutes) test.add(k, kc, w);
    expectNear(test.e(), told);
    expectNear(test.lnE(), Math.log(told));
  });

  it('events against a fixed limit', () => {
    const test = stats.createLimitTest({ limit: 0.01, alpha: 0.05 });
    test.add(3, 100);
    test.add(4, 150);
    expectNear(test.e(), 4.210930479329136);
    expect(test.breached()).toBe(false);
  });

  it('the mixture’s interval on two sides and one, and its p', () => {
    const given = { difference: 0.02, se: 0.01, tau: 0.02, alpha: 0.05 };
    expectNear(stats.msprt(given).halfWidth, 0.03082389993889093);
    expectNear(stats.msprt({ ...given, oneSided: true }).halfWidth, 0.028067126044065024);
    expectNear(stats.msprtP({ difference: 0.03, se: 0.01, tau: 0.02 }), 0.06109770079048308);
  });

  it('units against weights, by phase and together', () => {
    const even = { counts: [480, 520], weights: [1, 1] };
    const ramp = { counts: [60, 1040], weights: [5, 95] };
    expectNear(stats.srmLnE([even]), -0.1933142842156377, 1e-9);
    expectNear(stats.srmLnE([ramp]), -0.42566434550970567, 1e-9);
    expectNear(stats.srmLnE([{ counts: [30, 50, 20], weights: [50, 30, 20] }]), 3.753451020143583, 1e-9);
    expectNear(stats.srmE([even, ramp]), Math.exp(-0.6189786297253433), 1e-9);
    expectNear(stats.srmChiSquare(even.counts, even.weights), 0.20590321073206466);
    expectNear(stats.srmChiSquare([...ramp.counts, 0], [...ramp.weights, 0]), 0.48911666191921843);
    expect(stats.srmChiSquare([1, 1], [1, 0])).toBe(0);
    expect(stats.srmE([{ counts: [1, 1], weights: [1, 0] }])).toBe(Number.MAX_VALUE);
  });
});

describe('distributions (scipy)', () => {
  it.each([
    [1e-5, 11.512919692895826],
    [0.3, 1.0957979948180756],
    [0.5, 0.5723649429247],
    [2.5, 0.2846828704729192],
    [19.9, 39.04308858123621],
    [20.1, 39.637192503636946],
    [1000, 5905.220423209181],
    [100000000, 1742068066.1038349],
  ])('ln Γ(%d)', (x, told) => {
    expectNear(stats.lnGamma(x), told);
  });

  it.each([
    [0.1, 0.05, 0.7755386354510307, 0.22446136454896942],
    [0.5, 2, 0.9544997361036415, 0.04550026389635857],
    [2.5, 1, 0.15085496391539038, 0.8491450360846096],
    [10, 20, 0.9950045876916924, 0.0049954123083075785],
    [500, 400, 8.109381078799146e-7, 0.9999991890618921],
    [100000, 100000, 0.5004205221103651, 0.4995794778896348],
    [100000, 101000, 0.9991915784870744, 0.0008084215129255896],
  ])('P(%d, %d) and Q', (a, x, told, rest) => {
    expectNear(stats.gammaP(a, x), told);
    expectNear(stats.gammaQ(a, x), rest);
  });

  it.each([
    [3.84, 1, 0.05004352124870519],
    [1, 10, 0.9998278843700441],
    [200, 30, 4.9527335290032224e-27],
    [1000, 900, 0.010994608942135844],
  ])('P(χ² ≥ %d), %d degrees', (x, df, told) => {
    expectNear(stats.chiSquareP(x, df), told);
  });

  it.each([
    [-37, 5.7255712225239266e-300],
    [-8, 6.22096057427174e-16],
    [-1.96, 0.024997895148220435],
    [0, 0.5],
    [0.1, 0.539827837277029],
    [3, 0.9986501019683699],
  ])('Φ(%d)', (x, told) => {
    expectNear(stats.normalCdf(x), told);
  });

  it.each([
    [1e-300, -37.0470962993612],
    [1e-100, -21.273453560965322],
    [1e-10, -6.361340902404056],
    [0.001, -3.090232306167813],
    [0.07, -1.4757910281791706],
    [0.3, -0.5244005127080409],
    [0.6, 0.2533471031357997],
    [0.975, 1.959963984540054],
    [0.9999, 3.719016485455709],
  ])('the normal quantile at %d', (p, told) => {
    expectNear(stats.normalQuantile(p), told);
  });

  it.each([
    [0.5, 1, 0.7048327646991335],
    [1.96, 1.5, 0.2296598973467142],
    [4, 10, 0.0025183326247366945],
    [2.5, 63, 0.015035204311132429],
    [2, 6688.3, 0.04554062901069839],
    [40, 500, 6.290642918258103e-158],
  ])('P(|T| ≥ %d), %d degrees', (t, df, told) => {
    expectNear(stats.studentTTwoSidedP(t, df), told);
  });

  it.each([
    [0.5, 1, 1.0000000000000002],
    [0.05, 1.5, 6.016663104427933],
    [0.01, 10, 3.1692726726169504],
    [0.05, 63, 1.9983405425207417],
    [1e-8, 500, 5.829125577469352],
    [0.05, 6688.3, 1.9603187373610738],
  ])('the t that %d is past, %d degrees', (alpha, df, told) => {
    expectNear(stats.studentTQuantile(alpha, df), told);
  });
  it('the incomplete beta function so near to 1 that only what is left of it is known: x^a, where b is 1', () => {
    expectNear(betaI(1e17, 1, 1, 1e-17), Math.exp(-1));
    expectNear(betaI(1e6, 1, 1 - 1e-6, 1e-6), Math.exp(1e6 * Math.log1p(-1e-6)));
  });
});
