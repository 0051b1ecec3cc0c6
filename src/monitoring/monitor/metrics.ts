// Every metric, once: its name by OpenTelemetry's conventions, its unit, what it tells, and its points. Prometheus' text and
// OTLP are both written from this.

import { type ErrorCode, ERRORS, MICROS_PER_SECOND } from '../../core/index.ts';
import { cacheMetrics } from './cache-metrics.ts';
import { FAILURE_KINDS } from './failure-kind.ts';
import type { CellFigures, Figures, ProcessFigures } from './figures.ts';
import { graphMetrics } from './graph-metrics.ts';
import { histogramOf, type Labels, type Metric, type Unit } from './metric.ts';
import { shadowMetrics } from './shadow-metrics.ts';

/** All metrics, those without points too. */
export function metricsOf(figures: Figures): Metric[] {
  return [
    ...endpointMetrics(figures),
    ...armMetrics(figures),
    ...shadowMetrics(figures),
    ...serviceMetrics(figures),
    ...pushMetrics(figures),
    ...accessMetrics(figures),
    ...logMetrics(figures),
    ...minuteMetrics(figures),
    ...modelMetrics(figures),
    ...cacheMetrics(figures),
    ...processMetrics(figures.processes),
  ];
}

interface Labelled<Cell extends CellFigures = CellFigures> {
  readonly labels: Labels;
  readonly cell: Cell;
}

const ROWS_WITHOUT_VARIANT = 'Rows that failed before they had a variant, of requests that were answered, by error.';

function endpointMetrics({ endpoints }: Figures): Metric[] {
  const cells = endpoints.map((cell) => ({ labels: { endpoint: cell.name }, cell }));
  return [
    counted('headrace.requests', '{request}', 'Prediction requests answered.', cells, ({ total }) => total.requests),
    failures('headrace.request.errors', '{request}', 'Prediction requests not answered.', cells),
    codes('headrace.request.error_codes', '{request}', 'Prediction requests not answered, by error.', cells),
    codes('headrace.request.row_errors', '{row}', ROWS_WITHOUT_VARIANT, cells, ({ rowErrors }) => rowErrors),
    durations('headrace.request.duration', 'Duration of answered prediction requests.', cells),
  ];
}

function armMetrics({ endpoints }: Figures): Metric[] {
  const cells = endpoints.flatMap(({ name, arms }) =>
    arms.map((cell) => ({
      labels: { endpoint: name, variant: cell.variant, version: String(cell.version) },
      cell,
    })),
  );
  const missing = cells.flatMap(({ labels, cell }) =>
    [...cell.missing].map(([feature, value]) => ({ labels: { ...labels, feature }, value })),
  );
  return [
    counted('headrace.predictions', '{row}', 'Rows predicted.', cells, ({ total }) => total.rows),
    failures('headrace.prediction.errors', '{row}', 'Rows not predicted.', cells),
    codes('headrace.prediction.error_codes', '{row}', 'Rows not predicted, by error.', cells),
    durations('headrace.prediction.duration', 'Duration of the requests a variant took part in.', cells),
    {
      name: 'headrace.missing_features',
      unit: '{row}',
      help: 'Predicted rows in which the feature was NOT_FOUND, OUTSIDE_MAX_AGE or INVALID.',
      kind: 'counter',
      points: missing,
    },
    counted(
      'headrace.breaker.opens',
      '{open}',
      'How often a breaker opened in a process, since the variant failed.',
      cells,
      ({ breakerOpens }) => breakerOpens,
    ),
  ];
}

function serviceMetrics({ services }: Figures): Metric[] {
  const cells = services.map((cell) => ({ labels: { service: cell.name }, cell }));
  return [
    counted('headrace.feature_reads', '{request}', 'Feature reads answered.', cells, ({ total }) => total.requests),
    counted('headrace.feature_read.rows', '{row}', 'Rows of answered feature reads.', cells, ({ total }) => total.rows),
    failures('headrace.feature_read.errors', '{request}', 'Feature reads not answered.', cells),
    durations('headrace.feature_read.duration', 'Duration of answered feature reads.', cells),
  ];
}

function pushMetrics({ pushes, processes: { backlog } }: Figures): Metric[] {
  const outcomes = pushes.flatMap(([source, counts]) =>
    Object.entries(counts.pushes).map(([outcome, value]) => ({ labels: { source, outcome }, value })),
  );
  const rows = pushes.map(([source, counts]) => ({ labels: { source }, value: counts.rows }));
  const broken = pushes.flatMap(([source, counts]) =>
    (counts.broken ?? []).map(({ rule, onFail, rows: value }) => ({
      labels: { source, rule, on_fail: onFail },
      value,
    })),
  );
  return [
    {
      name: 'headrace.pushes',
      unit: '{push}',
      help: 'Pushes by source and outcome: accepted, repeated, refused, failed.',
      kind: 'counter',
      points: outcomes,
    },
    {
      name: 'headrace.failed_checks',
      unit: '{row}',
      help: 'Pushed rows that broke what is expected of the source, by rule: warned of, set apart (quarantine), or refused (fail).',
      kind: 'counter',
      points: broken,
    },
    { name: 'headrace.pushed_rows', unit: '{row}', help: 'Rows of accepted pushes.', kind: 'counter', points: rows },
    gauge('headrace.pushes.pending', '{push}', 'Pushes that are logged and not answered yet.', backlog.pending),
    gauge('headrace.push.parts', 'By', 'Pushed parts in memory until their cut is sealed.', backlog.partBytes),
    gauge('headrace.push.store_away', '{flag}', '1 while the online store takes no pushes.', backlog.storeAway),
    gauge('headrace.push.shipping_away', '{flag}', '1 while the event log cannot be shipped.', backlog.shippingAway),
  ];
}

/** From the start, so that the first is a step from 0. */
const TURNED_AWAY: readonly ErrorCode[] = ['HR_UNAUTHENTICATED', 'HR_FORBIDDEN', 'HR_MISDIRECTED'];

function accessMetrics({ turnedAway, exposures }: Figures): Metric[] {
  const codes = new Set<string>([...TURNED_AWAY, ...turnedAway.keys()]);
  return [
    {
      name: 'headrace.requests.turned_away',
      unit: '{request}',
      help: 'Requests of whoever may not ask, by error.',
      kind: 'counter',
      points: Array.from(codes, (code) => ({ labels: { code }, value: turnedAway.get(code) ?? 0 })),
    },
    {
      name: 'headrace.flag.exposures',
      unit: '{unit}',
      help: 'Units that SDKs say they have given an arm of a flag, by flag and arm.',
      kind: 'counter',
      points: Array.from(exposures, ([key, value]) => {
        const [flag = '', arm = ''] = key.split(' ');
        return { labels: { flag, arm }, value };
      }),
    },
  ];
}

function logMetrics({ logWritten, logDropped, processes }: Figures): Metric[] {
  const { logQueued, logQueuedBytes } = processes;
  return [
    {
      name: 'headrace.prediction_log.written',
      unit: '{record}',
      help: 'Predictions and outcomes on disk.',
      kind: 'counter',
      points: [{ labels: {}, value: logWritten }],
    },
    {
      name: 'headrace.prediction_log.dropped',
      unit: '{record}',
      help: 'Predictions and outcomes not logged, by reason.',
      kind: 'counter',
      points: logDropped.map(([reason, value]) => ({ labels: { reason }, value })),
    },
    gauge('headrace.prediction_log.queued', '{record}', 'Predictions that are not on disk yet.', logQueued),
    gauge(
      'headrace.prediction_log.queued_bytes',
      'By',
      'Memory held for predictions that wait to be written.',
      logQueuedBytes,
    ),
  ];
}

function minuteMetrics({ minutesDropped, processes }: Figures): Metric[] {
  const waiting = 'Rows of figures by the minute that wait for a database that is away.';
  return [
    {
      name: 'headrace.minutes.dropped',
      unit: '{row}',
      help: 'Rows of figures by the minute that could not be written within an hour.',
      kind: 'counter',
      points: [{ labels: {}, value: minutesDropped }],
    },
    gauge('headrace.minutes.waiting', '{row}', waiting, processes.minutesWaiting),
  ];
}

const FAILED_ROWS =
  'Rows that no run of a model answered: its runtime failed on them, or on others that ran with them.';

// By it servers are added: docs/guides/kubernetes.md.
const WAIT = 'Time that rows waited for a model until their run began, added up; shadows’ rows are left out.';

function modelMetrics({ models, processes }: Figures): Metric[] {
  const labelsOf = ({ model, version }: { readonly model: string; readonly version: number }): Labels => ({
    model,
    version: String(version),
  });
  const count = (
    name: string,
    unit: Unit,
    help: string,
    pick: (model: Figures['models'][number]) => number,
  ): Metric => ({
    name,
    unit,
    help,
    kind: 'counter',
    points: models.map((model) => ({ labels: labelsOf(model), value: pick(model) })),
  });
  const refused = models.flatMap((model) =>
    [...model.refused].map(([reason, value]) => ({ labels: { ...labelsOf(model), reason }, value })),
  );
  const read = (
    name: string,
    unit: Unit,
    help: string,
    pick: (one: ProcessFigures['models'][number]) => number,
  ): Metric => ({
    name,
    unit,
    help,
    kind: 'gauge',
    points: processes.models.map((one) => ({ labels: labelsOf(one), value: pick(one) })),
  });
  return [
    count('headrace.model.runs', '{run}', 'Batches that a model ran.', ({ runs }) => runs),
    count('headrace.model.rows', '{row}', 'Rows that a model answered.', ({ rows }) => rows),
    count('headrace.model.failures', '{row}', FAILED_ROWS, ({ failures: rows }) => rows),
    count('headrace.model.wait', 's', WAIT, ({ waitMicros }) => waitMicros / MICROS_PER_SECOND),
    {
      name: 'headrace.model.refused',
      unit: '{row}',
      help: 'Rows that were not run, or not to their end, by reason.',
      kind: 'counter',
      points: refused,
    },
    ...graphMetrics(models),
    read('headrace.model.queued', '{row}', 'Rows that wait for a model.', ({ queuedRows }) => queuedRows),
    read('headrace.model.memory', 'By', 'Memory of a model in all processes.', ({ memoryBytes }) => memoryBytes),
    {
      name: 'headrace.model.nodes',
      unit: '{node}',
      help: 'Nodes of a model that were seen to run on an execution provider when it was loaded, in the latest process.',
      kind: 'gauge',
      points: processes.models.flatMap((one) =>
        Object.entries(one.nodesByProvider ?? {}).map(([provider, value]) => ({
          labels: { ...labelsOf(one), provider },
          value,
        })),
      ),
    },
  ];
}

function processMetrics(processes: ProcessFigures): Metric[] {
  const { loopDelayMicros: delay } = processes;
  const seconds = (micros: number): number => micros / MICROS_PER_SECOND;
  const delayHelp = 'How late the event loop was in the last 10 to 20 s, of the latest process.';
  return [
    gauge('headrace.workers', '{process}', 'Serving processes.', processes.workers),
    gauge('headrace.workers.ready', '{process}', 'Serving processes that are ready.', processes.ready),
    {
      name: 'headrace.endpoint.serving',
      unit: '{endpoint}',
      help: '1 when every serving process answers the endpoint as its traffic says.',
      kind: 'gauge',
      points: Array.from(processes.endpoints, ([endpoint, isServing]) => ({
        labels: { endpoint },
        value: isServing ? 1 : 0,
      })),
    },
    {
      name: 'headrace.worker.restarts',
      unit: '{process}',
      help: 'Serving processes started in place of one that died.',
      kind: 'counter',
      points: [{ labels: {}, value: processes.restarts }],
    },
    gauge('headrace.requests.in_flight', '{request}', 'Requests that run.', processes.inFlight),
    gauge(
      'headrace.requests.in_flight.size',
      'By',
      'Bytes of request bodies that are read or worked at.',
      processes.inFlightBytes,
    ),
    {
      name: 'headrace.tls.certificate.expiry',
      unit: 's',
      help: 'When the certificate in use ends, as a Unix time; of all processes the earliest.',
      kind: 'gauge',
      points:
        processes.certificateEndsMicros === null
          ? []
          : [{ labels: {}, value: seconds(processes.certificateEndsMicros) }],
    },
    gauge('nodejs.eventloop.delay.p50', 's', delayHelp, seconds(delay.p50)),
    gauge('nodejs.eventloop.delay.p99', 's', delayHelp, seconds(delay.p99)),
    gauge('nodejs.eventloop.delay.max', 's', delayHelp, seconds(delay.max)),
    gauge(
      'nodejs.eventloop.utilization',
      '1',
      'Share of time the busiest event loop was busy.',
      processes.loopUtilization,
    ),
    gauge('process.resident_memory', 'By', 'Resident memory of all serving processes.', processes.residentBytes),
    gauge('v8js.memory.heap.used', 'By', 'Used heap of all serving processes.', processes.heapUsedBytes),
    gauge('process.start_time', 's', 'When the oldest serving process started.', seconds(processes.startMicros)),
  ];
}

function gauge(name: string, unit: Unit, help: string, value: number): Metric {
  return { name, unit, help, kind: 'gauge', points: [{ labels: {}, value }] };
}

function counted(
  name: string,
  unit: Unit,
  help: string,
  cells: readonly Labelled[],
  pick: (cell: CellFigures) => number,
): Metric {
  const points = cells.map(({ labels, cell }) => ({ labels, value: pick(cell) }));
  return { name, unit, help, kind: 'counter', points };
}

// Each kind from the start, so that the first failure is a step from 0.
function failures(name: string, unit: Unit, help: string, cells: readonly Labelled[]): Metric {
  const points = cells.flatMap(({ labels, cell }) =>
    FAILURE_KINDS.map((outcome) => ({ labels: { ...labels, outcome }, value: cell.total[outcome] })),
  );
  return { name, unit, help, kind: 'counter', points };
}

function codes(
  name: string,
  unit: Unit,
  help: string,
  cells: readonly Labelled[],
  pick = ({ errors }: CellFigures) => errors,
): Metric {
  const points = cells.flatMap(({ labels, cell }) =>
    [...pick(cell)].map(([code, value]) => ({ labels: { ...labels, code, status: statusOf(code) }, value })),
  );
  return { name, unit, help, kind: 'counter', points };
}

// A worker of another build may count codes that this one does not know.
function statusOf(code: string): string {
  return Object.hasOwn(ERRORS, code) ? String(ERRORS[code as ErrorCode].status) : '500';
}

function durations(name: string, help: string, cells: readonly Labelled[]): Metric {
  const points = cells.map(({ labels, cell }) => ({ labels, value: histogramOf(cell.total.latency) }));
  return { name, unit: 's', help, kind: 'histogram', points };
}
