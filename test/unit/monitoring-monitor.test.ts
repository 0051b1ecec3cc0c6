// Live figures: counted per endpoint and variant, over ten seconds and since the start, summed over workers.

import { beforeEach, describe, expect, it } from 'vitest';
import { type Clock, MICROS_PER_SECOND } from '../../src/core/index.ts';
import { createMonitor, type Monitor, type PredictionLogCounters } from '../../src/monitoring/index.ts';

const NOW = 1_790_000_000_000_000;
const counted = (written: number, full: number, queued: number): PredictionLogCounters => ({
  written,
  skipped: 0,
  queued,
  queuedBytes: 0,
  dropped: { full, disk: 0, closed: 0, too_large: 0, invalid: 0 },
});

describe('the monitor', () => {
  let now: number;
  let monitor: Monitor;
  const clock: Clock = { nowMicros: () => now };
  const endpoint = (of = monitor.snapshot()) => {
    const [first] = of.endpoints;
    if (first === undefined) throw new Error('no endpoint was counted');
    return first;
  };

  beforeEach(() => {
    now = NOW;
    monitor = createMonitor(clock);
  });

  it('counts requests and rows of the endpoint and of each variant', () => {
    const stable = monitor.variant('delay', 'stable', []);
    const candidate = monitor.variant('delay', 'candidate', []);
    monitor.endpoint('delay').request(1000, 5);
    stable.request(1000, 3);
    candidate.request(1000, 2);
    monitor.recordError({ endpoint: 'delay', variant: null });
    monitor.recordError({ endpoint: 'delay', variant: 'candidate' });
    expect(endpoint()).toMatchObject({
      endpoint: 'delay',
      requests: 1,
      rows: 5,
      errors: 2,
      variants: [
        { variant: 'candidate', requests: 1, rows: 2, errors: 1 },
        { variant: 'stable', requests: 1, rows: 3, errors: 0 },
      ],
    });
  });

  it('counts each feature that was missing by its name, over versions with other features; a null is a value', () => {
    const before = monitor.variant('delay', 'stable', ['a', 'b']);
    before.statuses(['PRESENT', 'NOT_FOUND']);
    before.statuses(['NULL_VALUE', 'OUTSIDE_MAX_AGE']);
    monitor.variant('delay', 'stable', ['b', 'c']).statuses(['INVALID', 'PRESENT']);
    expect(endpoint().variants[0]?.missing).toEqual({ a: 0, b: 3, c: 0 });
  });

  it('takes rates over the last ten seconds, and over less just after the start', () => {
    const whole = monitor.endpoint('delay');
    now += 2 * MICROS_PER_SECOND;
    for (let i = 0; i < 40; i++) whole.request(1000, 2);
    expect(endpoint()).toMatchObject({ requestsPerSecond: 20, rowsPerSecond: 40, recentLatencyMs: { max: 1 } });
    now += 5 * MICROS_PER_SECOND;
    whole.error();
    now += 2 * MICROS_PER_SECOND;
    expect(endpoint()).toMatchObject({ requestsPerSecond: Number((40 / 9).toPrecision(4)), errorsPerSecond: 0.1111 });
    now += 4 * MICROS_PER_SECOND;
    expect(endpoint()).toMatchObject({
      requests: 40,
      errors: 1,
      requestsPerSecond: 0,
      errorsPerSecond: 0.1111,
      latencyMs: { max: 1 },
      recentLatencyMs: { max: null, p99: null },
    });
    now += 1000 * MICROS_PER_SECOND;
    expect(endpoint()).toMatchObject({ requests: 40, errors: 1, errorsPerSecond: 0 });
  });

  it('sums the figures of all workers as if one had counted them all', () => {
    const workers = [createMonitor(clock), createMonitor(clock)];
    for (let i = 1; i <= 1000; i++) {
      for (const one of [monitor, workers[i % 2] as Monitor]) {
        one.endpoint('delay').request(i, 1);
        const variant = one.variant('delay', i % 3 === 0 ? 'candidate' : 'stable', ['a']);
        variant.statuses([i % 5 === 0 ? 'NOT_FOUND' : 'PRESENT']);
        variant.request(i, 1);
      }
    }
    workers[0]?.watchLog(() => counted(5, 1, 2));
    workers[1]?.watchLog(() => counted(7, 0, 0));
    // As they come from another process.
    const states = JSON.parse(JSON.stringify(workers.map((worker) => worker.state()))) as unknown[];
    const summed = monitor.snapshot(states);
    expect(summed.endpoints).toEqual(monitor.snapshot().endpoints);
    expect(summed).toMatchObject({ workers: 2, predictionLog: { written: 12, dropped: { full: 1 }, queued: 2 } });
  });

  it('tells its own figures when the other workers do not answer', () => {
    monitor.endpoint('delay').request(1000, 1);
    expect(monitor.snapshot([])).toMatchObject({ workers: 1, endpoints: [{ requests: 1 }] });
  });

  it('writes the figures for Prometheus', async () => {
    monitor.endpoint('delay').request(3000, 2);
    monitor.endpoint('delay').request(700, 2);
    const stable = monitor.variant('delay', 'stable', ['a"b']);
    stable.statuses(['NOT_FOUND']);
    stable.request(3000, 2);
    monitor.recordError({ endpoint: 'delay', variant: null });
    monitor.watchLog(() => counted(5, 1, 2));
    const lines = (await monitor.prometheus()).split('\n');
    for (const line of [
      '# TYPE headrace_request_duration_seconds histogram',
      'headrace_requests_total{endpoint="delay"} 2',
      'headrace_request_errors_total{endpoint="delay"} 1',
      'headrace_request_duration_seconds_bucket{endpoint="delay",le="0.0005"} 0',
      'headrace_request_duration_seconds_bucket{endpoint="delay",le="0.001"} 1',
      'headrace_request_duration_seconds_bucket{endpoint="delay",le="0.005"} 2',
      'headrace_request_duration_seconds_bucket{endpoint="delay",le="+Inf"} 2',
      'headrace_request_duration_seconds_sum{endpoint="delay"} 0.0037',
      'headrace_request_duration_seconds_count{endpoint="delay"} 2',
      'headrace_predictions_total{endpoint="delay",variant="stable"} 2',
      'headrace_prediction_duration_seconds_count{endpoint="delay",variant="stable"} 1',
      'headrace_missing_features_total{endpoint="delay",variant="stable",feature="a\\"b"} 1',
      'headrace_prediction_log_written_total 5',
      'headrace_prediction_log_dropped_total{reason="full"} 1',
      'headrace_prediction_log_queued 2',
      'headrace_workers 1',
    ])
      expect(lines).toContain(line);
  });

  it('has metrics before anything was counted', async () => {
    expect(monitor.snapshot().endpoints).toEqual([]);
    expect(await monitor.prometheus()).toContain('headrace_workers 1');
  });
});
