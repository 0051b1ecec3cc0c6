// How late the event loop is, over the last ten to twenty seconds: two histograms that are begun anew in turn, of which the
// older one is read.

import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Readings } from './increment.ts';

export interface LoopDelay {
  read(): Pick<Readings, 'loopDelayMicros' | 'loopUtilization'>;
  stop(): void;
}

const RESOLUTION_MS = 10;
const TURN_MS = 10_000;

export function watchLoopDelay(): LoopDelay {
  const begin = (): { histogram: ReturnType<typeof monitorEventLoopDelay>; used: EventLoopUtilization } => {
    const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    histogram.enable();
    return { histogram, used: performance.eventLoopUtilization() };
  };
  let older = begin();
  let newer = begin();
  let turnAt = performance.now() + TURN_MS;
  return {
    read() {
      if (performance.now() >= turnAt) {
        older.histogram.disable();
        [older, newer] = [newer, begin()];
        turnAt = performance.now() + TURN_MS;
      }
      const { histogram, used } = older;
      // Nothing is measured before the first turn, and the timer's own interval is part of what is.
      const micros = (nanos: number): number =>
        Number.isFinite(nanos) ? Math.max(0, Math.round(nanos / 1000) - RESOLUTION_MS * 1000) : 0;
      const isEmpty = histogram.count === 0;
      return {
        loopDelayMicros: {
          p50: isEmpty ? 0 : micros(histogram.percentile(50)),
          p99: isEmpty ? 0 : micros(histogram.percentile(99)),
          max: isEmpty ? 0 : micros(histogram.max),
        },
        loopUtilization: performance.eventLoopUtilization(used).utilization,
      };
    },
    stop() {
      older.histogram.disable();
      newer.histogram.disable();
    },
  };
}
