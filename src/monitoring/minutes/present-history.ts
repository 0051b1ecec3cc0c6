// History as the API and the command line tell it.

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
      return { ...nothing, ...told, points: points.map(presentPoint) };
    }),
  };
}

/** A point as the API tells it; milliseconds, within 1 %. */
function presentPoint(point: HistoryPoint | ViewPoint): object {
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
    slow,
    nulls,
    breaker_opens: breakerOpens,
    p50_ms: ms(latency?.p50Micros),
    p90_ms: ms(latency?.p90Micros),
    p99_ms: ms(latency?.p99Micros),
  };
}
