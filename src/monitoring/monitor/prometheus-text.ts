// The figures in Prometheus' text format, named as OpenTelemetry's metrics come out there: the unit in the name, seconds
// and bytes, `_total` on counters. The registry is filled from our own counters at each scrape.

import { Counter, Gauge, type Histogram, Registry } from 'prom-client';
import { MICROS_PER_SECOND } from '../../core/index.ts';
import { countAtMost } from './latency-sketch.ts';
import type { MergedCell, MergedState } from './monitor-state.ts';
import type { Tally } from './tally.ts';

/** Upper bounds of the histograms' buckets, in seconds. */
export const DURATION_BOUNDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

type Labels = Readonly<Record<string, string>>;

export async function toPrometheusText(state: MergedState): Promise<string> {
  const registry = new Registry();
  const wholes = [...state.endpoints].map(([endpoint, { whole }]) => ({ labels: { endpoint }, cell: whole }));
  const parts = [...state.endpoints].flatMap(([endpoint, { variants }]) =>
    [...variants].map(([variant, cell]) => ({ labels: { endpoint, variant }, cell })),
  );
  addCounter(
    registry,
    'headrace_requests_total',
    'Prediction requests answered.',
    wholes,
    ({ total }) => total.requests,
  );
  addCounter(
    registry,
    'headrace_request_errors_total',
    'Prediction requests that failed.',
    wholes,
    ({ total }) => total.errors,
  );
  addHistogram(registry, 'headrace_request_duration_seconds', 'Duration of answered prediction requests.', wholes);
  addCounter(registry, 'headrace_predictions_total', 'Rows predicted.', parts, ({ total }) => total.rows);
  addHistogram(
    registry,
    'headrace_prediction_duration_seconds',
    'Duration of the requests a variant took part in.',
    parts,
  );
  addMissing(registry, parts);
  addCounts(registry, state);
  addPushes(registry, state);
  return registry.metrics();
}

interface Labelled {
  readonly labels: Labels;
  readonly cell: MergedCell;
}

function addCounter(
  registry: Registry,
  name: string,
  help: string,
  cells: readonly Labelled[],
  count: (cell: MergedCell) => number,
): void {
  const counter = new Counter({ name, help, labelNames: labelNames(cells), registers: [registry] });
  for (const { labels, cell } of cells) counter.inc(labels, count(cell));
}

function addMissing(registry: Registry, cells: readonly Labelled[]): void {
  const counter = new Counter({
    name: 'headrace_missing_features_total',
    help: 'Predicted rows in which the feature was NOT_FOUND, OUTSIDE_MAX_AGE or INVALID.',
    labelNames: ['endpoint', 'variant', 'feature'],
    registers: [registry],
  });
  for (const { labels, cell } of cells) {
    for (const [feature, count] of cell.missing) counter.inc({ ...labels, feature }, count);
  }
}

function addCounts(registry: Registry, { log, workers, residentBytes, startMicros }: MergedState): void {
  const registers = [registry];
  new Counter({
    name: 'headrace_prediction_log_written_total',
    help: 'Predictions and outcomes on disk.',
    registers,
  }).inc(log.written);
  const dropped = new Counter({
    name: 'headrace_prediction_log_dropped_total',
    help: 'Predictions not logged, by why.',
    labelNames: ['reason'],
    registers,
  });
  for (const [reason, count] of Object.entries(log.dropped)) dropped.inc({ reason }, count);
  new Gauge({
    name: 'headrace_prediction_log_queued',
    help: 'Predictions waiting to be written.',
    registers,
  }).set(log.queued);
  new Gauge({
    name: 'headrace_prediction_log_queued_bytes',
    help: 'Memory held for predictions that wait to be written.',
    registers,
  }).set(log.queuedBytes);
  new Gauge({ name: 'headrace_workers', help: 'Serving processes.', registers }).set(workers);
  new Gauge({ name: 'process_resident_memory_bytes', help: 'Resident memory of all workers.', registers }).set(
    residentBytes,
  );
  new Gauge({ name: 'process_start_time_seconds', help: 'When the oldest worker started.', registers }).set(
    startMicros / MICROS_PER_SECOND,
  );
}

function addPushes(registry: Registry, { pushes, backlog }: MergedState): void {
  const registers = [registry];
  const count = new Counter({
    name: 'headrace_pushes_total',
    help: 'Pushes by source and outcome: accepted, repeated, refused, failed.',
    labelNames: ['source', 'outcome'],
    registers,
  });
  const rows = new Counter({
    name: 'headrace_pushed_rows_total',
    help: 'Rows of accepted pushes.',
    labelNames: ['source'],
    registers,
  });
  for (const [source, counts] of pushes) {
    for (const [outcome, value] of Object.entries(counts.pushes)) count.inc({ source, outcome }, value);
    rows.inc({ source }, counts.rows);
  }
  const gauge = (name: string, help: string, value: number): void => new Gauge({ name, help, registers }).set(value);
  gauge('headrace_pushes_pending', 'Pushes that are logged and not answered yet.', backlog.pending);
  gauge('headrace_push_parts_bytes', 'Pushed parts in memory until their cut is sealed.', backlog.partBytes);
  gauge('headrace_push_store_away', '1 while the online store does not take pushes.', backlog.storeAway);
  gauge('headrace_push_shipping_away', '1 while the event log cannot be shipped.', backlog.shippingAway);
}

function addHistogram(registry: Registry, name: string, help: string, cells: readonly Labelled[]): void {
  const values = cells.flatMap(({ labels, cell }) => histogramValues(name, labels, cell.total));
  const metric = {
    name,
    help,
    get: () => Promise.resolve({ name, help, type: 'histogram', values, aggregator: 'sum' }),
  };
  // prom-client's Histogram can only observe one value after the other, and ours are counted already; all that the
  // registry asks of a metric is its name and `get`.
  registry.registerMetric(metric as unknown as Histogram);
}

interface HistogramValue {
  readonly metricName: string;
  readonly value: number;
  readonly labels: Record<string, string | number>;
}

function histogramValues(name: string, labels: Labels, { latency }: Tally): HistogramValue[] {
  return [
    ...DURATION_BOUNDS.map((le) => ({
      metricName: `${name}_bucket`,
      value: countAtMost(latency, le * MICROS_PER_SECOND),
      labels: { ...labels, le },
    })),
    { metricName: `${name}_bucket`, value: latency.count, labels: { ...labels, le: '+Inf' } },
    { metricName: `${name}_sum`, value: latency.sumMicros / MICROS_PER_SECOND, labels },
    { metricName: `${name}_count`, value: latency.count, labels },
  ];
}

const labelNames = (cells: readonly Labelled[]): string[] => Object.keys(cells[0]?.labels ?? {});
