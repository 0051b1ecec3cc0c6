// Evidence that gathers: a mean over bets on how much more often (or less) events come than is allowed, kept in logs.

import { expWithin, logMeanExp } from '../special/log-mean.ts';

/** How many times as often an event is thought to come: one bet each (e^θ), all of equal stake. */
const BETS = {
  rise: [1.25, 1.5, 2, 3, 5, 10, 30, 100, 300],
  drop: [0.9, 0.8, 0.67, 0.5, 0.33, 0.1],
} as const;

/** Which change is looked for. Both is two tests, each at half of alpha. */
export type Direction = keyof typeof BETS;

/** What every test by bets can be asked. */
export interface Evidence {
  /** ln E of all that was added. */
  lnE(): number;
  /** E, at most the greatest double. */
  e(): number;
  /** Whether E was at least 1/alpha after any addition: then, in at most alpha of all cases, by chance. */
  breached(): boolean;
}

export interface GatheredEvidence extends Evidence {
  /** Multiplies each bet e^θ's E by e^{θ·events} / e^{lnExpected(e^θ)}. */
  multiply(events: number, lnExpected: (bet: number) => number): void;
}

export function gatherEvidence(direction: Direction, alpha: number): GatheredEvidence {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`an alpha of ${alpha} is not within (0, 1)`);
  const bets = BETS[direction];
  const logs = new Float64Array(bets.length);
  const bar = -Math.log(alpha);
  let hasBreached = false;
  const lnE = (): number => logMeanExp(logs);
  return {
    multiply(events, lnExpected) {
      bets.forEach((bet, i) => {
        logs[i] = (logs[i] as number) + events * Math.log(bet) - lnExpected(bet);
      });
      hasBreached ||= lnE() >= bar;
    },
    lnE,
    e: () => expWithin(lnE()),
    breached: () => hasBreached,
  };
}
