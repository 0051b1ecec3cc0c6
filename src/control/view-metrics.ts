// Freshness and coverage of views in Prometheus' text format, for alerts: how old, how far behind.

import { Gauge, Registry } from 'prom-client';
import type { ViewStatus } from './view-status.ts';

/** An age that is not known (nothing was ever counted) is left out, as an absent series can be alerted on. */
export function viewMetrics(versions: readonly ViewStatus[]): Promise<string> {
  const registry = new Registry();
  const complete = new Gauge({
    name: 'headrace_view_version_complete',
    help: '1 when readers may take the version and the store has it, 0 while it is filled or the store lacks some of it.',
    labelNames: ['view', 'version', 'current'],
    registers: [registry],
  });
  for (const { view, version, current, complete: isComplete, store_lacks: lacks } of versions) {
    complete.set({ view, version, current: String(current) }, isComplete && lacks === null ? 1 : 0);
  }
  const views = versions.filter(({ current }) => current);
  const gauge = (name: string, help: string, valueOf: (view: ViewStatus) => number | undefined): void => {
    const metric = new Gauge({ name, help, labelNames: ['view'], registers: [registry] });
    for (const view of views) {
      const value = valueOf(view);
      if (value !== undefined) metric.set({ view: view.view }, value);
    }
  };
  gauge(
    'headrace_view_newest_event_age_seconds',
    'Age of the newest event that the last finished run counted.',
    ({ newest_event: newest }) => newest?.age_seconds,
  );
  gauge(
    'headrace_view_last_run_age_seconds',
    'Time since a run last finished, or found nothing to do.',
    ({ last_look: last }) => last?.age_seconds,
  );
  gauge('headrace_view_run_failed', '1 when the newest run came to nothing.', ({ failed }) =>
    failed === null ? 0 : 1,
  );
  gauge('headrace_view_uncovered_cuts', 'Cuts of the logs that no run covers yet.', ({ coverage }) =>
    coverage.reduce((sum, writer) => sum + writer.waiting, 0),
  );
  return registry.metrics();
}
