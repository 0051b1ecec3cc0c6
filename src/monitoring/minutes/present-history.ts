// What was counted over time, as `monitor history --json` and GET /v1/monitoring/history tell it: members that a series has not are
// null.

import { formatTimestamp } from '../../core/index.ts';
import type { History, HistoryPoint, ViewPoint } from './history.ts';

/** All as the API tells it: members that a series has not are null. */
export function presentHistory({ step, from, to, series }: History): object {
  const nothing = { endpoint: null, variant: null, service: null, view: null, version: null };
  return {
    step,
    from: formatTimestamp(from),
    to: formatTimestamp(to),
    series: series.map(({ points, ...one }) => {
      const told =
        one.kind === 'arm'
          ? { endpoint: one.name, variant: one.variant, version: one.version }
          : { [one.kind]: one.name, ...(one.kind === 'view' ? { version: one.version } : {}) };
      return { ...nothing, ...told, points: points.map((point) => presentPoint(point, one.kind === 'arm')) };
    }),
  };
}

/** A point as the API tells it; milliseconds, within 1 %. What is counted of arms alone is null of an endpoint and a service. */
function presentPoint(point: HistoryPoint | ViewPoint, isArm: boolean): object {
  const at = formatTimestamp(point.at);
  if (!('requests' in point)) {
    const { freshnessSeconds, coverage, uncovered } = point;
    return { at, freshness_seconds: freshnessSeconds, coverage, uncovered_cuts: uncovered };
  }
  const { requests, rows, errors, refused, rejected, slow, nulls, breakerOpens, latency } = point;
  const ms = (micros: number | undefined): number | null =>
    micros === undefined ? null : Number((micros / 1000).toPrecision(4));
  return {
    at,
    requests,
    rows,
    errors,
    refused,
    rejected,
    slow: isArm ? slow : null,
    nulls: isArm ? nulls : null,
    breaker_opens: isArm ? breakerOpens : null,
    p50_ms: ms(latency?.p50Micros),
    p90_ms: ms(latency?.p90Micros),
    p99_ms: ms(latency?.p99Micros),
  };
}
