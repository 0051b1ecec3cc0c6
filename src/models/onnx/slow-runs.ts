// Whether runs are slow enough, by now, that they should not be on the event loop, whatever was measured at load.

export interface SlowRuns {
  /** A run of so many rows took `tookMs` until `nowMs`. True when the model has to leave the event loop. */
  observe(rows: number, tookMs: number, nowMs: number): boolean;
}

export interface SlowRunsOptions {
  /** What a run should take, by the measure at load. */
  readonly expectedMs: (rows: number) => number;
  /** A run may take so long, whatever it should take. */
  readonly longMs: number;
  /** No run may take longer, nor may those that are slow, together, within a minute. */
  readonly tooLongMs: number;
}

const MANY_TIMES = 5;
/** Now and then a run is slow by accident, the collection of garbage say; many are the model's way. */
const MEMORY_MS = 60_000;

export function createSlowRuns({ expectedMs, longMs, tooLongMs }: SlowRunsOptions): SlowRuns {
  let sumMs = 0;
  let lastMs = -Infinity;
  return {
    observe(rows, tookMs, nowMs) {
      if (tookMs > tooLongMs) return true;
      if (tookMs <= longMs || tookMs <= MANY_TIMES * expectedMs(rows)) return false;
      sumMs = tookMs + sumMs * Math.max(0, 1 - (nowMs - lastMs) / MEMORY_MS);
      lastMs = nowMs;
      return sumMs > tooLongMs;
    },
  };
}
