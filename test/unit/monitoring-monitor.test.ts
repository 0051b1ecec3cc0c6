// Live figures: counted per endpoint and variant, over ten seconds and since the start, summed over workers.

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, type ErrorCode, ERRORS, MICROS_PER_SECOND } from '../../src/core/index.ts';
import {
  createLiveFigures,
  createMonitor,
  createTotals,
  failureKind,
  type LiveFigures,
  localChannel,
  metricsOf,
  type Monitor,
  type MonitorSnapshot,
  type Report,
} from '../../src/monitoring/index.ts';
import { prometheusName } from '../../src/monitoring/monitor/prometheus-text.ts';
import { toSnapshot } from '../../src/monitoring/monitor/snapshot.ts';

const NOW = 1_790_000_000_000_000;

describe('the monitor', () => {
  let now: number;
  let monitor: Monitor;
  const clock: Clock = { nowMicros: () => now };
  const opened: Monitor[] = [];
  const open = (): Monitor => {
    const one = createMonitor(clock);
    opened.push(one);
    return one;
  };
  const shownBy = (one: Monitor): LiveFigures =>
    createLiveFigures({ monitor: one, channel: localChannel(createTotals(clock)), clock });
  const armOf = (one: Monitor, variant: string, features: readonly string[] = [], version = 1) =>
    one.arm({ endpoint: 'delay', variant, model: 'delays', version, arm: `${variant}/${version}`, features });
  const first = ({ endpoints: [endpoint] }: MonitorSnapshot) => {
    if (endpoint === undefined) throw new Error('no endpoint was counted');
    return endpoint;
  };

  beforeEach(() => {
    now = NOW;
    monitor = open();
  });
  afterEach(() => {
    for (const one of opened.splice(0)) one.close();
  });

  it('counts requests and rows of the endpoint and of each variant', async () => {
    monitor.endpoint('delay').answered(1000, 5);
    armOf(monitor, 'stable').answered(1000, 3);
    armOf(monitor, 'candidate', [], 2).answered(1000, 2);
    monitor.endpoint('delay').failed('HR_INFERENCE_FAILED');
    monitor.endpoint('delay').failed('HR_ONLINE_UNAVAILABLE');
    armOf(monitor, 'candidate', [], 2).failed('HR_INFERENCE_FAILED', 4);
    expect(first(await shownBy(monitor).live())).toMatchObject({
      endpoint: 'delay',
      requests: 1,
      rows: 5,
      errors: 2,
      variants: [
        { variant: 'candidate', version: 2, model: 'delays', requests: 1, rows: 2, errors: 4 },
        { variant: 'stable', version: 1, requests: 1, rows: 3, errors: 0 },
      ],
    });
  });

  it('tells apart whose mistake an error was: a client’s is not the endpoint’s, and too much is neither’s', async () => {
    const endpoint = monitor.endpoint('delay');
    for (const code of ['HR_INVALID', 'HR_MALFORMED_JSON', 'HR_TOO_LARGE', 'HR_CANCELLED'] as const)
      endpoint.failed(code);
    endpoint.failed('HR_OVERLOADED');
    for (const code of ['HR_TRANSFORM_FAILED', 'HR_DEADLINE', 'HR_MODEL_NOT_READY'] as const) endpoint.failed(code);
    expect(first(await shownBy(monitor).live())).toMatchObject({ refused: 4, rejected: 1, errors: 3 });
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const { status } = ERRORS[code];
      const isTheirs = ['HR_EXPECTATION', 'HR_IDEMPOTENCY', 'HR_UNKNOWN_ENTITY', 'HR_UNSUPPORTED'].includes(code);
      const isOurs = (status >= 500 || status === 422) && !isTheirs;
      const kind = status === 429 ? 'rejected' : isOurs ? 'failed' : 'refused';
      expect([code, failureKind(code)]).toEqual([code, kind]);
    }
  });

  it('counts each feature that was missing by its name, over versions with other features; a null is a value', async () => {
    const before = armOf(monitor, 'stable', ['a', 'b']);
    before.statuses(['PRESENT', 'NOT_FOUND']);
    before.statuses(['NULL_VALUE', 'OUTSIDE_MAX_AGE']);
    armOf(monitor, 'stable', ['b', 'c']).statuses(['INVALID', 'PRESENT']);
    expect(first(await shownBy(monitor).live()).variants[0]?.missing).toEqual({ a: 0, b: 3, c: 0 });
  });

  it('takes rates over the last ten seconds, and over less just after the start', () => {
    const totals = createTotals(clock);
    let sequence = 0;
    const shown = () => {
      totals.count('own', { sequence: ++sequence, ...monitor.take() });
      return first(toSnapshot(totals.figures()));
    };
    const whole = monitor.endpoint('delay');
    now += 2 * MICROS_PER_SECOND;
    for (let i = 0; i < 40; i++) whole.answered(1000, 2);
    expect(shown()).toMatchObject({ requestsPerSecond: 20, rowsPerSecond: 40, recentLatencyMs: { max: 1 } });
    now += 5 * MICROS_PER_SECOND;
    whole.failed('HR_INTERNAL');
    now += 2 * MICROS_PER_SECOND;
    expect(shown()).toMatchObject({ requestsPerSecond: Number((40 / 9).toPrecision(4)), errorsPerSecond: 0.1111 });
    now += 4 * MICROS_PER_SECOND;
    const rates = { requestsPerSecond: 0, errorsPerSecond: 0.1111 };
    const latencies = { latencyMs: { max: 1 }, recentLatencyMs: { max: null, p99: null } };
    expect(shown()).toMatchObject({ requests: 40, errors: 1, ...rates, ...latencies });
    now += 1000 * MICROS_PER_SECOND;
    expect(shown()).toMatchObject({ requests: 40, errors: 1, errorsPerSecond: 0 });
  });

  it('sums the figures of all workers as if one had counted them all', async () => {
    const workers = [open(), open()];
    workers[0]?.watchLog(() => ({ written: 5, dropped: { full: 1 }, queued: 2, queuedBytes: 3000 }));
    workers[1]?.watchLog(() => ({ written: 7, dropped: {}, queued: 1, queuedBytes: 4000 }));
    const health = (...endpoints: readonly (readonly [string, boolean])[]) => ({ isReady: true, endpoints });
    workers[0]?.watchHealth(() => ({ ...health(['delay', false], ['fine', true]), isReady: false }));
    workers[1]?.watchHealth(() => health(['delay', true], ['fine', true], ['heard of here', true]));
    const totals = createTotals(clock);
    let sequence = 0;
    const report = () => {
      sequence++;
      // As they come from another process.
      for (const [at, worker] of workers.entries()) {
        const sent = JSON.parse(JSON.stringify({ sequence, ...worker.take() })) as Report;
        expect(totals.count(`w${at}`, sent)).toBe(true);
        expect(totals.count(`w${at}`, sent)).toBe(false);
      }
    };
    for (let i = 1; i <= 1000; i++) {
      for (const one of [monitor, workers[i % 2] as Monitor]) {
        one.endpoint('delay').answered(i, 1);
        if (i % 7 === 0) one.endpoint('delay').failed('HR_OVERLOADED');
        const variant = armOf(one, i % 3 === 0 ? 'candidate' : 'stable', ['a']);
        variant.statuses([i % 5 === 0 ? 'NOT_FOUND' : 'PRESENT']);
        variant.answered(i, 1);
      }
      if (i % 300 === 0) report();
    }
    report();
    const ask = async () => JSON.parse(JSON.stringify(totals.tell('spectator'))) as ReturnType<typeof totals.tell>;
    const spectator = createLiveFigures({ monitor: open(), channel: { send: () => {}, ask }, clock });
    const summed = await spectator.live();
    expect(summed.endpoints).toEqual((await shownBy(monitor).live()).endpoints);
    expect(summed).toMatchObject({
      workers: 2,
      predictionLog: { written: 12, dropped: 1, droppedBy: { full: 1 }, queued: 3, queuedBytes: 7000 },
    });
    const serving = metricsOf(totals.figures()).find(({ name }) => name === 'headrace.endpoint.serving');
    const points = Object.entries({ delay: 0, fine: 1, 'heard of here': 1 });
    expect(serving).toMatchObject({ points: points.map(([endpoint, value]) => ({ labels: { endpoint }, value })) });
    totals.leave('w0');
    expect(totals.figures()).toMatchObject({ logWritten: 12, processes: { workers: 1, ready: 1 } });
  });

  it('tells of a prediction log that nothing waits in, and gives each metric a name of its own', async () => {
    const { predictionLog } = await shownBy(monitor).live();
    expect(predictionLog).toEqual({ written: 0, dropped: 0, droppedBy: {}, queued: 0, queuedBytes: 0 });
    const names = metricsOf(await shownBy(monitor).figures()).map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
    expect(names).toEqual(
      expect.arrayContaining(['headrace.prediction_log.queued', 'headrace.prediction_log.queued_bytes']),
    );
  });

  it('tells its own figures while nobody tells the totals', async () => {
    monitor.endpoint('delay').answered(1000, 1);
    const alone = createLiveFigures({ monitor, channel: { send: () => {}, ask: async () => undefined }, clock });
    expect(await alone.learn()).toBe(false);
    expect(await alone.live()).toMatchObject({ workers: 1, endpoints: [{ requests: 1 }] });
  });

  it('gathers at most once a second for streams, however many ask', async () => {
    let asks = 0;
    const local = localChannel(createTotals(clock));
    const channel: typeof local = { send: local.send, ask: (options) => (asks++, local.ask(options)) };
    const figures = createLiveFigures({ monitor, channel, clock });
    await Promise.all(Array.from({ length: 100 }, () => figures.live()));
    expect(asks).toBe(1);
    await Promise.all([figures.prometheus(), figures.prometheus()]);
    expect(asks).toBe(3);
  });

  it('writes the figures for Prometheus', async () => {
    monitor.endpoint('delay').answered(3000, 2);
    monitor.endpoint('delay').answered(700, 2);
    const stable = armOf(monitor, 'stable', ['a"b'], 3);
    stable.statuses(['NOT_FOUND']);
    stable.answered(3000, 2);
    stable.failed('HR_NULL_FEATURE', 2);
    monitor.endpoint('delay').failed('HR_NULL_FEATURE');
    monitor.service('delay_features').answered(900, 100);
    monitor.recordPush({ source: 'flights', outcome: 'accepted', rows: 7 });
    for (const rows of [2, 3]) monitor.recordBroken('flights', [{ rule: 'notNull(origin)', onFail: 'fail', rows }]);
    monitor.recordBroken('flights', [{ rule: 'notNull(origin)', onFail: 'warn', rows: 1 }]);
    monitor.watchLog(() => ({ written: 5, dropped: { full: 1 }, queued: 4, queuedBytes: 2000 }));
    monitor.watchInFlight(() => 3);
    monitor.watchInFlightBytes(() => 700);
    const counts = { runs: 4, rows: 9, failures: 1, refused: { overloaded: 2 }, waitMicros: 45_000 };
    const statistics = { ...counts, queuedRows: 5, memoryBytes: 1000 };
    const loaded = {};
    monitor.watchModels(() => [{ loaded, model: 'delays', version: 3, ...statistics }]);
    const lines = (await shownBy(monitor).prometheus()).split('\n');
    const expected = String.raw`
      # TYPE headrace_request_duration_seconds histogram
      headrace_requests_total{endpoint="delay"} 2
      headrace_request_errors_total{endpoint="delay",outcome="failed"} 1
      headrace_request_errors_total{endpoint="delay",outcome="rejected"} 0
      headrace_request_error_codes_total{endpoint="delay",code="HR_NULL_FEATURE",status="422"} 1
      headrace_request_duration_seconds_bucket{endpoint="delay",le="0.0005"} 0
      headrace_request_duration_seconds_bucket{endpoint="delay",le="0.001"} 1
      headrace_request_duration_seconds_bucket{endpoint="delay",le="0.005"} 2
      headrace_request_duration_seconds_bucket{endpoint="delay",le="+Inf"} 2
      headrace_request_duration_seconds_sum{endpoint="delay"} 0.0037
      headrace_request_duration_seconds_count{endpoint="delay"} 2
      headrace_predictions_total{endpoint="delay",variant="stable",version="3"} 2
      headrace_prediction_errors_total{endpoint="delay",variant="stable",version="3",outcome="failed"} 2
      headrace_prediction_duration_seconds_count{endpoint="delay",variant="stable",version="3"} 1
      headrace_missing_features_total{endpoint="delay",variant="stable",version="3",feature="a\"b"} 1
      headrace_feature_reads_total{service="delay_features"} 1
      headrace_feature_read_rows_total{service="delay_features"} 100
      headrace_pushed_rows_total{source="flights"} 7
      headrace_failed_checks_total{source="flights",rule="notNull(origin)",on_fail="fail"} 5
      headrace_failed_checks_total{source="flights",rule="notNull(origin)",on_fail="warn"} 1
      headrace_prediction_log_written_total 5
      headrace_prediction_log_dropped_total{reason="full"} 1
      headrace_prediction_log_queued 4
      headrace_prediction_log_queued_bytes 2000
      headrace_model_rows_total{model="delays",version="3"} 9
      headrace_model_wait_seconds_total{model="delays",version="3"} 0.045
      headrace_model_refused_total{model="delays",version="3",reason="overloaded"} 2
      headrace_model_queued{model="delays",version="3"} 5
      headrace_requests_in_flight 3
      headrace_requests_in_flight_size_bytes 700
      headrace_workers 1
      headrace_workers_ready 0
      headrace_worker_restarts_total 0`;
    expect(lines).toEqual(expect.arrayContaining(expected.trim().split(/\n */)));
  });

  it('counts a model that is loaded anew from its zero, and one that stayed loaded from where it was', () => {
    const totals = createTotals(clock);
    const rest = { runs: 1, failures: 0, refused: {}, waitMicros: 3, queuedRows: 0, memoryBytes: 0 };
    const [first, anew] = [{}, {}];
    const of = (loaded: object, rows: number) => [loaded, rows] as const;
    const told = [
      [of(first, 10)],
      [of(first, 25)],
      [],
      [of(first, 25)],
      [of(first, 30)],
      [of(anew, 4)],
      [of(anew, 9), of(first, 31)],
    ];
    let statistics: readonly (readonly [object, number])[] = [];
    monitor.watchModels(() =>
      statistics.map(([loaded, rows]) => ({ loaded, model: 'delays', version: 1, rows, ...rest })),
    );
    let sequence = 0;
    for (statistics of told) totals.count('own', { sequence: ++sequence, ...monitor.take() });
    expect(totals.figures().models).toMatchObject([{ runs: 2, rows: 31 + 9, waitMicros: 6 }]);
  });

  it('says in the guide what each of a model’s metrics says of itself', async () => {
    const guide = readFileSync(new URL('../../docs/guides/monitoring.md', import.meta.url), 'utf8').toLowerCase();
    const own = metricsOf(await shownBy(monitor).figures()).filter(({ name }) => name.startsWith('headrace.model.'));
    expect(own).toHaveLength(8);
    for (const metric of own) {
      const help = metric.help.slice(0, -1).toLowerCase();
      expect(guide).toMatch(new RegExp(`\\| \`${prometheusName(metric)}\` \\|[^|]*\\| (gauge: )?${help} \\|`));
    }
  });

  it('has metrics before anything was counted', async () => {
    expect((await shownBy(monitor).live()).endpoints).toEqual([]);
    expect(await shownBy(monitor).prometheus()).toContain('headrace_workers 1');
  });
});
