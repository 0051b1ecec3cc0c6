// What a run of a model will take: measured while it was opened, kept true as it runs. Milliseconds.

import type { ModelCost } from '../model-work.ts';

export interface RunCost {
  /** Of a run of so many rows. */
  runMs(rows: number): number;
  /** Rows that a batch should have when enough wait: more would hold up its rows for nothing worth having. */
  batchRows(): number;
  /** A run took so long. */
  observe(rows: number, tookMs: number): void;
  current(): ModelCost;
}

export interface RunCostOptions {
  readonly measured: ModelCost;
  readonly maxBatchRows: number;
  /** A batch is cut to what takes so long, or twice its fixed part where that is more. Asked for each batch anew. */
  readonly longestRunMs: () => number;
}

// A batch this many times as long as its fixed part wastes 3 % on it.
const FIXED_PARTS = 32;
// Up faster than down: a row that comes too late was run for nothing, one that is refused has cost nothing.
const [UP, DOWN] = [0.1, 0.03];
// A run that was interrupted says little: it may move the estimate, not throw it over. Two in a row are the truth.
const [LEAST_RATIO, MOST_RATIO] = [0.5, 2];
// Nothing takes no time at all.
const LEAST_MICROS = 1;

export function createRunCost({ measured, maxBatchRows, longestRunMs }: RunCostOptions): RunCost {
  const fixedMs = Math.max(measured.fixedMicros, LEAST_MICROS) / 1000;
  const rowMs = Math.max(measured.rowMicros, 0) / 1000;
  // How much longer runs take than when they were measured: other threads want the same cores.
  let scale = 1;
  // Of the last run, when the estimate was far off.
  let farRatio: number | undefined;
  const runMs = (rows: number): number => scale * (fixedMs + rowMs * rows);
  return {
    runMs,
    batchRows() {
      if (rowMs === 0) return maxBatchRows;
      const worthwhile = Math.ceil((FIXED_PARTS * fixedMs) / rowMs);
      const affordable = Math.floor((Math.max(longestRunMs() / scale, 2 * fixedMs) - fixedMs) / rowMs);
      return Math.max(1, Math.min(maxBatchRows, worthwhile, affordable));
    },
    observe(rows, tookMs) {
      // Two runs that a clock gave no time at all would leave an estimate of none, for good.
      const ratio = Math.max(tookMs, LEAST_MICROS / 1000) / runMs(rows);
      const isFar = ratio > MOST_RATIO || ratio < LEAST_RATIO;
      if (isFar && farRatio !== undefined && ratio > 1 === farRatio > 1) {
        scale *= ratio > 1 ? Math.min(ratio, farRatio) : Math.max(ratio, farRatio);
        farRatio = undefined;
        return;
      }
      farRatio = isFar ? ratio : undefined;
      const near = Math.min(MOST_RATIO, Math.max(LEAST_RATIO, ratio));
      scale *= 1 + (near > 1 ? UP : DOWN) * (near - 1);
    },
    current: () => ({
      fixedMicros: scale * fixedMs * 1000,
      rowMicros: scale * rowMs * 1000,
      loadMicros: measured.loadMicros,
    }),
  };
}
