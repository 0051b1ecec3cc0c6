// Counts what one variant, or one endpoint as a whole, answers. Recording allocates nothing and looks nothing up: the
// recorder is handed out beforehand.

import type { Clock } from '../../core/index.ts';
import { countRequest, createSlidingTally, createTally, type Tally } from './tally.ts';

export interface Recorder {
  /** A request that was answered, and how many of its rows are counted here. */
  request(latencyMicros: number, rows: number): void;
  /**
   * One row's statuses, in the order of the recorder's features: NOT_FOUND, OUTSIDE_MAX_AGE and INVALID count as
   * missing. A null that is there, and an empty window, are values.
   */
  statuses(statuses: readonly string[]): void;
  /** A request that was not answered. */
  error(): void;
}

/** What was counted of one variant, or of an endpoint as a whole. */
export interface Cell {
  readonly endpoint: string;
  /** Null for the endpoint as a whole. */
  readonly variant: string | null;
  readonly total: Tally;
  recent(): Tally;
  readonly missing: ReadonlyMap<string, { readonly count: number }>;
  /** A recorder of this cell; one for each list of features that the variant had since the start. */
  recorder(features: readonly string[]): Recorder;
}

export function createCell(clock: Clock, endpoint: string, variant: string | null): Cell {
  const total = createTally();
  const sliding = createSlidingTally(clock);
  const missing = new Map<string, { count: number }>();
  return {
    endpoint,
    variant,
    total,
    recent: () => sliding.sum(),
    missing,
    recorder(features) {
      const counters = features.map((feature) => {
        let counter = missing.get(feature);
        if (counter === undefined) missing.set(feature, (counter = { count: 0 }));
        return counter;
      });
      return {
        request(latencyMicros, rows) {
          countRequest(total, latencyMicros, rows);
          countRequest(sliding.now(), latencyMicros, rows);
        },
        statuses(statuses) {
          for (let i = 0; i < counters.length; i++) {
            const status = statuses[i];
            if (status !== 'PRESENT' && status !== 'NULL_VALUE') (counters[i] as { count: number }).count++;
          }
        },
        error() {
          total.errors++;
          sliding.now().errors++;
        },
      };
    },
  };
}
