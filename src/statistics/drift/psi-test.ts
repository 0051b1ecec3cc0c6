// Whether a window's PSI is strange against days: noise of its rows and the days' own coming and going are both expected.

import { gammaQ } from '../special/incomplete-gamma.ts';
import { psi } from './distances.ts';
import { type Counts, total } from './shares.ts';

/** How much days differ by themselves, in PSI: mean and standard deviation, noise of rows taken off. Both are above 0. */
export interface DaysVariation {
  readonly mu: number;
  readonly sigma: number;
}

const LEAST_MU = 0.003;
const LEAST_SIGMA = 0.004;
/** One day's shift being normal, its PSI is a multiple of χ² with few degrees of freedom: as wide as it is great. */
const LEAST_SIGMA_OF_MU = 0.8;

/**
 * PSI with ½ added a bin, and its p from a gamma with mean M = (B−1)/n_e + μ and variance V = 2(B−1)/n_e² + 4μ/n_e + σ², where
 * n_e = nm/(n+m): without a change n_e·PSI is χ² with B−1 degrees of freedom (Yurdakul 2018, "Statistical properties of the
 * population stability index"), noncentral by n_e times the day's own. At a million rows the noise is nothing and days remain.
 */
export function psiTest(o: { readonly ref: Counts; readonly cur: Counts } & DaysVariation): {
  readonly psi: number;
  readonly p: number;
} {
  const { ref, cur, mu, sigma } = o;
  const value = psi(ref, cur);
  const rows = effectiveRows(ref, cur);
  if (rows === 0) return { psi: value, p: 1 };
  const bins = ref.length - 1;
  const mean = bins / rows + mu;
  const variance = noiseVariance(bins, rows, mu) + sigma ** 2;
  return { psi: value, p: gammaQ(mean ** 2 / variance, (value * mean) / variance) };
}

/**
 * μ and σ of the training days' PSI against the rest, each less the noise of its rows; with floors, since some days are few to
 * know a spread by. Below two days with rows nothing is known but the floors.
 */
export function daysOwnVariation(days: readonly Counts[]): DaysVariation {
  const counted = days.filter((day) => total(day) > 0);
  const floors = { mu: LEAST_MU, sigma: LEAST_SIGMA };
  const bins = counted[0]?.length ?? 0;
  if (counted.length < 2) return floors;
  const all = Array.from({ length: bins }, (_, i) => counted.reduce((sum, day) => sum + (day[i] as number), 0));
  const seen = counted.map((day) => {
    const rest = all.map((count, i) => count - (day[i] as number));
    return { value: psi(rest, day), rows: effectiveRows(rest, day) };
  });
  const excess = seen.map(({ value, rows }) => value - (bins - 1) / rows);
  const center = mean(excess);
  const mu = Math.max(LEAST_MU, center);
  const spread = excess.reduce((sum, each) => sum + (each - center) ** 2, 0) / (excess.length - 1);
  const noise = mean(seen.map(({ rows }) => noiseVariance(bins - 1, rows, Math.max(0, center))));
  const sigma = Math.sqrt(Math.max(0, spread - noise));
  return { mu, sigma: Math.max(LEAST_SIGMA, LEAST_SIGMA_OF_MU * mu, sigma) };
}

/** nm/(n+m): the rows of one sample against a known truth that are worth the two. */
function effectiveRows(ref: Counts, cur: Counts): number {
  const n = total(ref);
  const m = total(cur);
  return n + m === 0 ? 0 : (n * m) / (n + m);
}

function noiseVariance(degrees: number, rows: number, mu: number): number {
  return (2 * degrees) / rows ** 2 + (4 * mu) / rows;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
