// How strange a window is: PSI against the training data with the p that days have among each other, Holm over the features of
// the window; and what is only shown.

import type { Micros } from '../../core/index.ts';
import {
  chiSquareAgainst,
  daysOwnVariation,
  type DaysVariation,
  holm,
  jensenShannon,
  psiTest,
} from '../../statistics/index.ts';
import { advance, type Standing } from '../alerts/hysteresis.ts';
import { comparedCounts, type FeatureReference, type WindowCounts } from './reference.ts';

export interface CountedWindow {
  readonly from: Micros;
  readonly to: Micros;
  readonly rows: number;
  readonly units: number;
  readonly counts: WindowCounts;
}

export interface JudgedWindow extends CountedWindow {
  /** Null where the log tells no value of it, as where they are redacted. */
  readonly psi: number | null;
  readonly p: number | null;
  /** By Holm over the window's features. */
  readonly adjustedP: number | null;
  readonly verdict: Verdict;
}

/** `between`: not strange enough to open, too strange to close. */
export type Verdict = 'firing' | 'between' | 'ok' | 'no_data';

export const OPENS_AT = 0.01;
export const CLOSES_AT = 0.1;
export const OPENS_AFTER = 2;
export const CLOSES_AFTER = 3;

/** Judges windows of one arm, all features of each together. `features` go by name; windows of a feature in their order. */
export function judgeWindows(
  features: ReadonlyMap<string, { readonly reference: FeatureReference; readonly windows: readonly CountedWindow[] }>,
): Map<string, JudgedWindow[]> {
  const tests = new Map<Micros, { readonly feature: string; readonly psi: number; readonly p: number }[]>();
  for (const [feature, { reference, windows }] of features) {
    const test = compileTest(reference);
    for (const window of windows) {
      const found = test(window.counts);
      if (found === undefined) continue;
      const own = tests.get(window.to) ?? [];
      tests.set(window.to, own);
      own.push({ feature, ...found });
    }
  }
  const judged = new Map<string, { readonly psi: number; readonly p: number; readonly adjustedP: number }>();
  for (const [to, own] of tests) {
    const adjusted = holm(own.map(({ p }) => p));
    own.forEach(({ feature, psi, p }, i) =>
      judged.set(`${to} ${feature}`, { psi, p, adjustedP: adjusted[i] as number }),
    );
  }
  return new Map(
    [...features].map(([feature, { windows }]) => [
      feature,
      windows.map((window): JudgedWindow => {
        const found = judged.get(`${window.to} ${feature}`);
        if (found === undefined) return { ...window, psi: null, p: null, adjustedP: null, verdict: 'no_data' };
        return { ...window, ...found, verdict: verdictOf(found.adjustedP) };
      }),
    ]),
  );
}

export const verdictOf = (adjustedP: number): Verdict =>
  adjustedP <= OPENS_AT ? 'firing' : adjustedP <= CLOSES_AT ? 'between' : 'ok';

/** Whether a feature drifts after all its windows. */
export function isDrifting(verdicts: readonly Verdict[]): boolean {
  let standing: Standing = { state: 'pending', streak: 0 };
  for (const verdict of verdicts) {
    if (verdict === 'no_data') continue;
    const next = advance(standing, verdict, { opensAfter: OPENS_AFTER, closesAfter: CLOSES_AFTER });
    standing = next.standing ?? { state: 'pending', streak: 0 };
  }
  return standing.state === 'open';
}

/** Undefined of a window that tells nothing of the feature. */
function compileTest(reference: FeatureReference) {
  const variations = new Map<string, DaysVariation>();
  return (counts: WindowCounts): { readonly psi: number; readonly p: number } | undefined => {
    const { ref, cur, days, kept } = comparedCounts(reference, counts);
    if (ref.length === 0 || sum(cur) === 0 || sum(ref) === 0) return undefined;
    const key = kept.join();
    let variation = variations.get(key);
    if (variation === undefined) variations.set(key, (variation = daysOwnVariation(days)));
    return psiTest({ ref, cur, ...variation });
  };
}

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

export interface ShownDistances {
  /** Base of the logarithm: e. */
  readonly js: number;
  /** Against the reference's shares, taken for the truth: 0 where a bin has rows that it never had. */
  readonly chi2P: number;
  /** Of numbers, by the fine bins: not less than these, and by a bin's share more at most. */
  readonly ks: number | null;
  /** In the feature's own unit, its values taken to lie at their bin's ends in equal parts. */
  readonly wasserstein: number | null;
}

export function shownDistances(reference: FeatureReference, counts: WindowCounts): ShownDistances | undefined {
  const { ref, cur } = comparedCounts(reference, counts);
  if (sum(cur) === 0 || sum(ref) === 0) return undefined;
  return {
    js: jensenShannon(ref, cur),
    chi2P: chiSquareAgainst(ref, cur),
    ...numberDistances(reference, counts),
  };
}

function numberDistances(
  reference: FeatureReference,
  { bins }: WindowCounts,
): Pick<ShownDistances, 'ks' | 'wasserstein'> {
  const { kind, edges, range, counts } = reference;
  const before = counts.slice(0, -1);
  const [n, m] = [sum(before), sum(bins)];
  if (kind !== 'number' || range === null || edges.length === 0 || n === 0 || m === 0)
    return { ks: null, wasserstein: null };
  let [f, g, ks, wasserstein] = [0, 0, 0, 0];
  let gapBefore = 0;
  const ends = [range[0], ...edges, Math.max(range[1], edges.at(-1) as number)];
  before.forEach((count, bin) => {
    f += count / n;
    g += (bins[bin] as number) / m;
    const gap = Math.abs(f - g);
    ks = Math.max(ks, gap);
    const width = (ends[bin + 1] as number) - (ends[bin] as number);
    wasserstein += ((gapBefore + gap) / 2) * width;
    gapBefore = gap;
  });
  return { ks, wasserstein };
}
