// The share of a core that the shadows of one process may take: what they do not use is kept for a moment, what a run takes
// beyond that is paid back before the next.

/** Of a core. */
const SHARE = 0.2;
/** So much of what was not used is kept: no burst is longer. */
const MOST_KEPT_MICROS = 20_000;

export interface ShadowBudget {
  /** Whether something may run now. */
  has(nowMs: number): boolean;
  spend(micros: number): void;
  /** How long until something may run. */
  waitMs(): number;
}

/** Times are milliseconds of one clock that never goes back. */
export function createShadowBudget(startMs: number): ShadowBudget {
  let kept = MOST_KEPT_MICROS;
  let seenMs = startMs;
  return {
    has(nowMs) {
      kept = Math.min(MOST_KEPT_MICROS, kept + SHARE * (nowMs - seenMs) * 1000);
      seenMs = nowMs;
      return kept > 0;
    },
    spend(micros) {
      kept -= micros;
    },
    waitMs: () => Math.max(0, -kept / (SHARE * 1000)),
  };
}
