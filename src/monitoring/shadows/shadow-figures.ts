// What the pairs of a shadow say: how often it agrees with what was answered, and how far its scores lie from those.

import type { LatencySketch } from '../monitor/latency-sketch.ts';
import { type LatencySnapshot, latencySnapshot } from '../monitor/latency-snapshot.ts';
import { scorePsi } from './score-psi.ts';
import type { ShadowTally } from './shadow-tally.ts';

export interface ShadowFigures {
  readonly endpoint: string;
  readonly version: number;
  /** Rows that both answered. */
  readonly pairs: number;
  /** Pairs that agree. */
  readonly agreed: number;
  /** Share of the pairs that agree; null without any. */
  readonly agreement: number | null;
  /** Mean absolute difference of the scores that are finite; null where there is none. */
  readonly meanAbsDifference: number | null;
  /** Of the shadow's scores against the answered ones; null where there are none. */
  readonly psi: number | null;
  /** By error code: rows that the shadow failed. */
  readonly errors: ReadonlyMap<string, number>;
  /** By reason: rows that it never got, or not in time. */
  readonly dropped: ReadonlyMap<string, number>;
  /** Of the requests that the pairs are of, and of the shadow's runs. */
  readonly latencyMs: { readonly answered: LatencySnapshot; readonly shadow: LatencySnapshot };
  readonly shadowLatency: LatencySketch;
}

export function shadowFigures(tally: ShadowTally): ShadowFigures {
  const { endpoint, version, pairs, agreed, differing, difference, errors, dropped } = tally;
  const { answered, shadowed, answeredLatency, shadowLatency } = tally;
  return {
    endpoint,
    version,
    pairs,
    agreed,
    agreement: pairs === 0 ? null : agreed / pairs,
    meanAbsDifference: differing === 0 ? null : difference / differing,
    psi: scorePsi(answered.counts, shadowed.counts),
    errors,
    dropped,
    latencyMs: { answered: latencySnapshot(answeredLatency), shadow: latencySnapshot(shadowLatency) },
    shadowLatency,
  };
}
