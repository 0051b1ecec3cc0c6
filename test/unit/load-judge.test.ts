// A threshold that is broken breaks the run: each kind is shown to hold and to fail, and what was not measured never holds.

import { describe, expect, it } from 'vitest';
import { isHeld, judge, type Measured, type Verdict } from '../../load-tests/judge.ts';
import type { PhaseFigures } from '../../load-tests/outcomes.ts';
import { presentRun } from '../../load-tests/present.ts';
import { type Scenario, scenarios, shorten, type Threshold } from '../../load-tests/scenarios.ts';

const figures = (over: Partial<PhaseFigures>): PhaseFigures => ({
  phase: 'all',
  seconds: 10,
  sent: 1000,
  answered: 1000,
  faults: 0,
  goodPerSecond: 100,
  p50Ms: 2,
  p99Ms: 8,
  maxMs: 9,
  statuses: {},
  recoveryMs: 200,
  ...over,
});

function hold(threshold: Threshold, over: Partial<PhaseFigures>, more: Partial<Measured> = {}): boolean | undefined {
  const streams = [{ request: 'slow' as const, phases: [figures(over)], firstFault: null }];
  const measured = { result: { streams }, memoryBytes: [], seconds: 100, capacityPerSecond: 100, ...more };
  const verdicts = judge({ thresholds: [threshold] }, measured);
  expect(verdicts).toHaveLength(1);
  expect(isHeld(verdicts)).toBe(verdicts[0]?.isMet === true);
  return verdicts[0]?.isMet;
}

const at = { request: 'slow', phase: 'all' } as const;

describe('a threshold', () => {
  it('of latency', () => {
    const p99: Threshold = { measure: 'latency', ...at, percentile: 99, atMostMs: 8 };
    expect(hold(p99, {})).toBe(true);
    expect(hold(p99, { p99Ms: 8.1 })).toBe(false);
    expect(hold(p99, { p99Ms: NaN })).toBe(false);
    expect(hold({ ...p99, percentile: 50, atMostMs: 1 }, {})).toBe(false);
    expect(hold({ ...p99, phase: 'another' }, {})).toBe(false);
  });

  it('of errors and of faults', () => {
    const errors: Threshold = { measure: 'errors', ...at, atMost: 0.001 };
    expect(hold(errors, { answered: 999 })).toBe(true);
    expect(hold(errors, { answered: 998 })).toBe(false);
    expect(hold(errors, { sent: 0, answered: 0 })).toBe(false);
    const faults: Threshold = { measure: 'faults', ...at, atMost: 0 };
    expect(hold(faults, { answered: 0 })).toBe(true);
    expect(hold(faults, { faults: 1 })).toBe(false);
  });

  it('of goodput, which is nothing without a capacity', () => {
    const goodput: Threshold = { measure: 'goodput', ...at, atLeast: 0.95 };
    expect(hold(goodput, { goodPerSecond: 95 })).toBe(true);
    expect(hold(goodput, { goodPerSecond: 94 })).toBe(false);
    const streams = [{ request: 'slow' as const, phases: [figures({})], firstFault: null }];
    const measured = { result: { streams }, memoryBytes: [], seconds: 100 };
    expect(judge({ thresholds: [goodput] }, measured)[0]?.isMet).toBe(false);
  });

  it('of recovery', () => {
    const recovery: Threshold = { measure: 'recovery', ...at, atMostMs: 1000 };
    expect(hold(recovery, { recoveryMs: 1000 })).toBe(true);
    expect(hold(recovery, { recoveryMs: 1001 })).toBe(false);
    expect(hold(recovery, { recoveryMs: null })).toBe(false);
  });

  it('of memory, which a short run does not tell', () => {
    const growth: Threshold = { measure: 'growth', atMost: 1.1 };
    const flat = [50, 90, 100, 100, 100, 105];
    expect(hold(growth, {}, { memoryBytes: flat })).toBe(true);
    expect(hold(growth, {}, { memoryBytes: [50, 90, 100, 100, 100, 120] })).toBe(false);
    expect(hold(growth, {}, { memoryBytes: [] })).toBe(false);
    expect(hold(growth, {}, { memoryBytes: [1, 1, 9], seconds: 20 })).toBeUndefined();
  });

  it('that was not judged says why, and neither breaks a run nor holds it', () => {
    const streams = [{ request: 'slow' as const, phases: [figures({})], firstFault: null }];
    const judgedWith = (atMost: number): readonly Verdict[] =>
      judge(
        {
          thresholds: [
            { measure: 'growth', atMost: 1.1 },
            { measure: 'latency', ...at, percentile: 99, atMostMs: atMost },
          ],
        },
        { result: { streams }, memoryBytes: [1, 1, 9], seconds: 20 },
      );
    const [growth] = judgedWith(8);
    expect(growth?.unjudged).toBe('the run was shorter than 1 minute');
    expect(isHeld(judgedWith(8))).toBe(true);
    expect(isHeld(judgedWith(7))).toBe(false);
    const shown = (atMost: number): string[] => {
      const verdicts = judgedWith(atMost);
      const result = { streams: [], seconds: 20, lateP99Ms: 0, driverCores: 0, isCut: false };
      const run = { scenario: 'soak', result, capacity: null, verdicts, notes: [], isHeld: isHeld(verdicts) };
      return presentRun(run).split('\n');
    };
    expect(shown(8).some((line) => line.startsWith('not judged  memory'))).toBe(true);
    expect(shown(8)).toContain(
      'memory, last third over the second: not judged, since the run was shorter than 1 minute',
    );
    expect(shown(8).at(-1)).toBe('soak passed: 1 held, 1 NOT JUDGED');
    expect(shown(7).at(-1)).toBe('soak FAILED: 1 broken, 1 NOT JUDGED');
  });

  it('shows the bare server’s figure beside', () => {
    const streams = (['slow', 'bare'] as const).map((request) => ({
      request,
      phases: [figures({})],
      firstFault: null,
    }));
    const latency: Threshold = { measure: 'latency', ...at, percentile: 99, atMostMs: 8 };
    const [verdict] = judge({ thresholds: [latency] }, { result: { streams }, memoryBytes: [], seconds: 10 });
    expect(verdict?.floor).toBe('bare server 8.00 ms');
  });

  it('of requests that were not sent is left out, and a run without any is not held', () => {
    const verdicts = judge(
      { thresholds: [{ measure: 'errors', request: 'push', phase: 'all', atMost: 0 }] },
      { result: { streams: [] }, memoryBytes: [], seconds: 10 },
    );
    expect(verdicts).toEqual([]);
    expect(isHeld(verdicts)).toBe(false);
  });
});

describe.each(scenarios)('$name', (scenario: Scenario) => {
  it('names streams and phases that it has, with a load for each phase', () => {
    const phases = new Set(scenario.phases.map(({ name }) => name));
    const requests = new Set(scenario.streams.map(({ request }) => request));
    for (const threshold of scenario.thresholds) {
      if (threshold.measure === 'growth') continue;
      expect(phases).toContain(threshold.phase);
      expect(requests).toContain(threshold.request);
    }
    for (const { loads } of scenario.streams) expect([1, phases.size]).toContain(loads.length);
    expect(scenario.thresholds.length).toBeGreaterThan(0);
  });

  it('shortens to what it is given, within each phase’s least', () => {
    const total = (phases: Scenario['phases']): number => phases.reduce((sum, { seconds }) => sum + seconds, 0);
    expect(shorten(scenario, 1e6)).toBe(scenario);
    for (const seconds of [1, 5, 12]) {
      const { phases } = shorten(scenario, seconds);
      const least = total(scenario.phases.map((phase) => ({ ...phase, seconds: phase.leastSeconds ?? 1 })));
      expect(total(phases)).toBeLessThanOrEqual(seconds + least);
      for (const [at, phase] of phases.entries())
        expect(phase.seconds).toBeGreaterThanOrEqual(scenario.phases[at]?.leastSeconds ?? 1);
    }
  });
});

it('spikes and overloads come at their times, whatever the server does', () => {
  for (const name of ['spike', 'overload']) {
    const { streams } = scenarios.find((one) => one.name === name) as Scenario;
    for (const { loads } of streams) for (const load of loads) expect(load).not.toHaveProperty('connections');
  }
});
