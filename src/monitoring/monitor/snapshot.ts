// The figures of now as plain JSON data: what the live stream sends each second.

import { formatTimestamp, MICROS_PER_SECOND } from '../../core/index.ts';
import type { ArmFigures, CellFigures, Figures } from './figures.ts';
import { type LatencySnapshot, latencySnapshot } from './latency-snapshot.ts';
import { WINDOW_SECONDS } from './sums.ts';

export interface MonitorSnapshot {
  /** RFC 3339. */
  readonly at: string;
  readonly uptimeSeconds: number;
  readonly workers: number;
  readonly windowSeconds: number;
  readonly endpoints: readonly EndpointSnapshot[];
  readonly predictionLog: LogSnapshot;
}

export interface LogSnapshot {
  readonly written: number;
  readonly dropped: number;
  readonly droppedBy: Readonly<Record<string, number>>;
  /** Predictions that are not on disk yet. */
  readonly queued: number;
  /** Memory held for those that wait to be written. */
  readonly queuedBytes: number;
}

export interface EndpointSnapshot extends FiguresSnapshot {
  readonly endpoint: string;
  readonly variants: readonly VariantSnapshot[];
}

export interface VariantSnapshot extends FiguresSnapshot {
  readonly variant: string;
  readonly version: number;
  readonly model: string;
  /** Rows in which the feature was NOT_FOUND, OUTSIDE_MAX_AGE or INVALID, since the start. */
  readonly missing: Readonly<Record<string, number>>;
}

/** Counts since the start; rates and `recent` over the window. Of a variant the last three are rows. */
export interface FiguresSnapshot {
  readonly requests: number;
  readonly rows: number;
  /** The server's own: 5xx, 422. */
  readonly errors: number;
  /** The client's mistakes. */
  readonly refused: number;
  /** 429. */
  readonly rejected: number;
  readonly requestsPerSecond: number;
  readonly rowsPerSecond: number;
  readonly errorsPerSecond: number;
  readonly refusedPerSecond: number;
  readonly rejectedPerSecond: number;
  readonly latencyMs: LatencySnapshot;
  readonly recentLatencyMs: LatencySnapshot;
}

export function toSnapshot(state: Figures): MonitorSnapshot {
  const { nowMicros, startMicros, processes } = state;
  const uptimeSeconds = Math.max(0, (nowMicros - startMicros) / MICROS_PER_SECOND);
  const ofSecond = (nowMicros / MICROS_PER_SECOND) % 1;
  // The newest second is under way; and a server that just started has no ten seconds to look back on.
  const spanSeconds = Math.max(1, Math.min(WINDOW_SECONDS - 1 + ofSecond, uptimeSeconds));
  return {
    at: formatTimestamp(nowMicros),
    uptimeSeconds: Math.floor(uptimeSeconds),
    workers: processes.workers,
    windowSeconds: WINDOW_SECONDS,
    endpoints: state.endpoints.map((endpoint) => ({
      endpoint: endpoint.name,
      ...figures(endpoint, spanSeconds),
      variants: endpoint.arms.map((arm) => variantSnapshot(arm, spanSeconds)),
    })),
    predictionLog: {
      written: state.logWritten,
      dropped: state.logDropped.reduce((sum, [, count]) => sum + count, 0),
      droppedBy: Object.fromEntries(state.logDropped),
      queued: processes.logQueued,
      queuedBytes: processes.logQueuedBytes,
    },
  };
}

function variantSnapshot(arm: ArmFigures, spanSeconds: number): VariantSnapshot {
  return {
    variant: arm.variant,
    version: arm.version,
    model: arm.model,
    ...figures(arm, spanSeconds),
    missing: Object.fromEntries(arm.missing),
  };
}

function figures({ total, recent }: CellFigures, spanSeconds: number): FiguresSnapshot {
  const rate = (count: number): number => round(count / spanSeconds);
  return {
    requests: total.requests,
    rows: total.rows,
    errors: total.failed,
    refused: total.refused,
    rejected: total.rejected,
    requestsPerSecond: rate(recent.requests),
    rowsPerSecond: rate(recent.rows),
    errorsPerSecond: rate(recent.failed),
    refusedPerSecond: rate(recent.refused),
    rejectedPerSecond: rate(recent.rejected),
    latencyMs: latencySnapshot(total.latency),
    recentLatencyMs: latencySnapshot(recent.latency),
  };
}

const round = (value: number): number => Number(value.toPrecision(4));
