// The figures of now as plain JSON data: what the live stream sends each second.

import { formatTimestamp, type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import type { PredictionLogCounters } from '../prediction-log/prediction-log.ts';
import { quantileMicros } from './latency-sketch.ts';
import type { MergedCell, MergedState } from './monitor-state.ts';
import { type Tally, WINDOW_SECONDS } from './tally.ts';

export interface MonitorSnapshot {
  /** RFC 3339. */
  readonly at: string;
  readonly uptimeSeconds: number;
  readonly workers: number;
  readonly windowSeconds: number;
  readonly endpoints: readonly EndpointSnapshot[];
  readonly predictionLog: PredictionLogCounters;
}

export interface EndpointSnapshot extends FiguresSnapshot {
  readonly endpoint: string;
  readonly variants: readonly VariantSnapshot[];
}

export interface VariantSnapshot extends FiguresSnapshot {
  readonly variant: string;
  /** Rows in which the feature was NOT_FOUND, OUTSIDE_MAX_AGE or INVALID, since the start. */
  readonly missing: Readonly<Record<string, number>>;
}

/** Counts since the start; rates and `recent` over the window. */
export interface FiguresSnapshot {
  readonly requests: number;
  readonly rows: number;
  readonly errors: number;
  readonly requestsPerSecond: number;
  readonly rowsPerSecond: number;
  readonly errorsPerSecond: number;
  readonly latencyMs: LatencySnapshot;
  readonly recentLatencyMs: LatencySnapshot;
}

/** Milliseconds, each within 1 %; null when nothing was answered. */
export interface LatencySnapshot {
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

export function toSnapshot(state: MergedState, now: Micros): MonitorSnapshot {
  const uptimeSeconds = Math.max(0, (now - state.startMicros) / MICROS_PER_SECOND);
  const ofSecond = (now / MICROS_PER_SECOND) % 1;
  // The newest second is under way; and a server that just started has no ten seconds to look back on.
  const spanSeconds = Math.max(1, Math.min(WINDOW_SECONDS - 1 + ofSecond, uptimeSeconds));
  return {
    at: formatTimestamp(now),
    uptimeSeconds: Math.floor(uptimeSeconds),
    workers: state.workers,
    windowSeconds: WINDOW_SECONDS,
    endpoints: [...state.endpoints].map(([endpoint, { whole, variants }]) => ({
      endpoint,
      ...figures(whole, spanSeconds),
      variants: [...variants].map(([variant, cell]) => ({
        variant,
        ...figures(cell, spanSeconds),
        missing: Object.fromEntries(cell.missing),
      })),
    })),
    predictionLog: state.log,
  };
}

function figures({ total, recent }: MergedCell, spanSeconds: number): FiguresSnapshot {
  const rate = (count: number): number => round(count / spanSeconds);
  return {
    requests: total.requests,
    rows: total.rows,
    errors: total.errors,
    requestsPerSecond: rate(recent.requests),
    rowsPerSecond: rate(recent.rows),
    errorsPerSecond: rate(recent.errors),
    latencyMs: latencies(total),
    recentLatencyMs: latencies(recent),
  };
}

function latencies({ latency }: Tally): LatencySnapshot {
  const isEmpty = latency.count === 0;
  const quantile = (q: number): number | null => {
    const micros = quantileMicros(latency, q);
    return micros === null ? null : round(micros / 1000);
  };
  return {
    mean: isEmpty ? null : round(latency.sumMicros / latency.count / 1000),
    p50: quantile(0.5),
    p90: quantile(0.9),
    p99: quantile(0.99),
    max: isEmpty ? null : round(latency.maxMicros / 1000),
  };
}

const round = (value: number): number => Number(value.toPrecision(4));
