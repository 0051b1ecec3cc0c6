// A threshold that is broken breaks the run: each kind is shown to hold and to fail, and what was not measured never holds.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHeld, judge, type Measured, type Verdict } from '../../load-tests/judge.ts';
import { k6Options, nameOf } from '../../load-tests/k6-options.ts';
import { createOutcomes, percentile, type PhaseFigures, recoveryOf } from '../../load-tests/outcomes.ts';
import { presentRun } from '../../load-tests/present.ts';
import { loadOf, type Scenario, scenarios, shorten, type Threshold } from '../../load-tests/scenarios.ts';
import { arrivalCount, arrivalMs } from '../../load-tests/schedule.ts';

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
  const p99: Threshold = { measure: 'latency', ...at, percentile: 99, atMostMs: 8 };
  const errors: Threshold = { measure: 'errors', ...at, atMost: 0.001 };
  const faults: Threshold = { measure: 'faults', ...at, atMost: 0 };
  const goodput: Threshold = { measure: 'goodput', ...at, atLeast: 0.95 };
  const recovery: Threshold = { measure: 'recovery', ...at, atMostMs: 1000 };
  const growth: Threshold = { measure: 'growth', atMost: 1.1 };
  const flat = [50, 90, 100, 100, 100];
  it.each<[Threshold, boolean | undefined, Partial<PhaseFigures>, Partial<Measured>?]>([
    [p99, true, {}],
    [p99, false, { p99Ms: 8.1 }],
    [p99, false, { p99Ms: NaN }],
    [{ ...p99, percentile: 50, atMostMs: 1 }, false, {}],
    [{ ...p99, phase: 'another' }, false, {}],
    [errors, true, { answered: 999 }],
    [errors, false, { answered: 998 }],
    [errors, false, { sent: 0, answered: 0 }],
    [faults, true, { answered: 0 }],
    [faults, false, { faults: 1 }],
    [goodput, true, { goodPerSecond: 95 }],
    [goodput, false, { goodPerSecond: 94 }],
    // Nothing without a capacity.
    [goodput, false, {}, { capacityPerSecond: undefined } as object],
    [recovery, true, { recoveryMs: 1000 }],
    [recovery, false, { recoveryMs: 1001 }],
    [recovery, false, { recoveryMs: null }],
    [growth, true, {}, { memoryBytes: [...flat, 105] }],
    [growth, false, {}, { memoryBytes: [...flat, 120] }],
    [growth, false, {}, { memoryBytes: [] }],
    // A short run does not tell it.
    [growth, undefined, {}, { memoryBytes: [1, 1, 9], seconds: 20 }],
  ])('%o is held: %s, by %o %o', (threshold, isMet, over, more = {}) => {
    expect(hold(threshold, over, more)).toBe(isMet);
  });

  it('that was not judged says why, and neither breaks a run nor holds it', () => {
    const streams = [{ request: 'slow' as const, phases: [figures({})], firstFault: null }];
    const measured = { result: { streams }, memoryBytes: [1, 1, 9], seconds: 20 };
    const judgedWith = (atMostMs: number): readonly Verdict[] =>
      judge({ thresholds: [growth, { ...p99, atMostMs } as Threshold] }, measured);
    expect(judgedWith(8)[0]?.unjudged).toBe('the run was shorter than 1 minute');
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
    const phases = [figures({})];
    const streams = (['slow', 'bare'] as const).map((request) => ({ request, phases, firstFault: null }));
    const [verdict] = judge({ thresholds: [p99] }, { result: { streams }, memoryBytes: [], seconds: 10 });
    expect(verdict?.floor).toBe('bare server 8.00 ms');
  });

  it('of requests that were not sent is left out, and a run without any is not held', () => {
    const unsent: Threshold = { measure: 'errors', request: 'push', phase: 'all', atMost: 0 };
    const verdicts = judge({ thresholds: [unsent] }, { result: { streams: [] }, memoryBytes: [], seconds: 10 });
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

// When the load tests send, and the figures that they draw, against what can be counted by hand.
const rate = fc.double({ min: 0, max: 5000, noNaN: true });
const arrivals = fc.record({ from: rate, to: rate, seconds: fc.double({ min: 0.5, max: 60, noNaN: true }) });

describe('a schedule', () => {
  it('sends as many until any moment as the rate adds up to, whatever the rates', () => {
    fc.assert(
      fc.property(arrivals, fc.double({ min: 0, max: 1, noNaN: true }), (given, share) => {
        const { from, to, seconds } = given;
        const count = arrivalCount(given);
        fc.pre(count > 0);
        const n = Math.min(count - 1, Math.floor(share * count));
        const t = arrivalMs(given, n) / 1000;
        expect(t).toBeGreaterThanOrEqual(0);
        expect(t).toBeLessThanOrEqual(seconds);
        // The rate's integral up to then.
        expect(from * t + ((to - from) / seconds) * (t * t) * 0.5).toBeCloseTo(n, 3);
        if (n > 0) expect(t * 1000).toBeGreaterThanOrEqual(arrivalMs(given, n - 1));
      }),
    );
  });

  it('sends evenly at an even rate, moved by its shift', () => {
    const given = { from: 100, to: 100, seconds: 1 };
    expect(arrivalCount(given)).toBe(100);
    expect(arrivalMs(given, 7)).toBeCloseTo(70);
    expect(arrivalMs(given, 7, 0.5)).toBeCloseTo(75);
  });
});

describe('a percentile', () => {
  it('is the least value that the share does not exceed', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), fc.constantFrom(0.5, 0.9, 0.99, 1), (values, share) => {
        const sorted = Float64Array.from(values).sort();
        const oracle = sorted.find((value) => values.filter((one) => one <= value).length >= share * values.length);
        expect(percentile(sorted, share)).toBe(oracle);
      }),
    );
    expect(percentile(new Float64Array(), 0.99)).toBeNaN();
  });
});

describe('recovery', () => {
  // One every 50 ms for five seconds.
  const points = fc
    .array(fc.integer({ min: 0, max: 99 }), { maxLength: 12 })
    .map((failing) => Array.from({ length: 100 }, (_, at) => ({ intendedMs: at * 50, isGood: !failing.includes(at) })));

  it('is the earliest failure, or the start, after which all of a second are good', () => {
    fc.assert(
      fc.property(points, (all) => {
        const failed = all.filter(({ isGood }) => !isGood).map(({ intendedMs }) => intendedMs);
        const isWhole = (fromMs: number): boolean =>
          fromMs + 1000 <= 5000 && !failed.some((at) => at > fromMs && at < fromMs + 1000);
        const starts = failed[0] === 0 ? failed : [0, ...failed];
        expect(recoveryOf(all, 0, 5000)).toBe(starts.find(isWhole) ?? null);
      }),
    );
  });

  it('never came where nothing was sent, or the last answers failed', () => {
    expect(recoveryOf([], 0, 5000)).toBeNull();
    const failing = Array.from({ length: 50 }, (_, at) => ({ intendedMs: at * 100, isGood: at < 5 }));
    expect(recoveryOf(failing, 0, 5000)).toBeNull();
  });

  it('counts from the phase’s start to the last failure before the good second', () => {
    const all = Array.from({ length: 40 }, (_, at) => ({ intendedMs: 10_000 + at * 100, isGood: at > 6 }));
    expect(recoveryOf(all, 10_000, 14_000)).toBe(600);
  });
});

describe('figures of a phase', () => {
  const phases = [
    { name: 'one', startMs: 0, endMs: 1000 },
    { name: 'two', startMs: 1000, endMs: 2000 },
  ];

  it('are of the requests that were meant for it; what was answered in time is counted when it came', () => {
    const outcomes = createOutcomes();
    outcomes.add(900, 1100, 200);
    outcomes.add(100, 110, 200);
    outcomes.add(200, 900, 200);
    outcomes.add(300, 301, 429);
    outcomes.add(400, 1400, 504);
    outcomes.add(500, 500, 503);
    outcomes.add(600, 650, 0);
    const [one, two] = outcomes.figures(phases, 500);
    expect(one).toMatchObject({ sent: 7, answered: 3, faults: 2, goodPerSecond: 1, p50Ms: 200, maxMs: 700 });
    expect(one?.statuses).toEqual({ '200': 3, '429': 1, '504': 1, '503': 1, broken: 1 });
    expect(two).toMatchObject({ sent: 0, answered: 0, goodPerSecond: 1, recoveryMs: null });
    expect(two?.p99Ms).toBeNaN();
  });

  it('hold for more than fit into the first room', () => {
    const outcomes = createOutcomes();
    for (let at = 0; at < 5000; at++) outcomes.add(at / 10, at / 10 + 1, 200);
    expect(outcomes.figures(phases, 500)[0]).toMatchObject({ sent: 5000, answered: 5000 });
  });
});

// What k6 is given is what the table says: rates, times and thresholds.
const CAPACITY = 80;
const optionsOf = (scenario: Scenario) => k6Options(scenario, { target: 'own', capacityPerSecond: CAPACITY });
const find = (name: string): Scenario => scenarios.find((one) => one.name === name) as Scenario;

describe.each(scenarios)('$name', (scenario: Scenario) => {
  const { scenarios: made = {}, thresholds = {} } = optionsOf(scenario);
  const wanted = scenario.streams.filter(({ request }) => request !== 'bare');

  it('sends each stream’s load in each phase, one after another', () => {
    let startSeconds = 0;
    scenario.phases.forEach((phase, at) => {
      for (const stream of wanted) {
        const load = loadOf(stream, at);
        const one = made[nameOf(stream.request, phase.name)];
        expect(one).toMatchObject({ startTime: `${startSeconds}s`, env: { REQUEST: stream.request } });
        if ('connections' in load) expect(one).toMatchObject({ executor: 'constant-vus', vus: load.connections });
        else if ('ofCapacity' in load)
          expect(one).toMatchObject({
            executor: 'constant-arrival-rate',
            rate: load.ofCapacity * CAPACITY * 60,
            timeUnit: '1m',
          });
        else if (load.upTo === undefined)
          expect(one).toMatchObject({ executor: 'constant-arrival-rate', rate: load.perSecond * 60, timeUnit: '1m' });
        else
          expect(one).toMatchObject({
            executor: 'ramping-arrival-rate',
            startRate: load.perSecond * 60,
            stages: [{ target: load.upTo * 60, duration: `${phase.seconds}s` }],
          });
      }
      startSeconds += phase.seconds;
    });
  });

  it('holds each threshold that k6 can see to a scenario that there is', () => {
    const count = scenario.thresholds.filter(({ measure }) => measure !== 'growth').length;
    expect(Object.values(thresholds).flat()).toHaveLength(count);
    for (const metric of Object.keys(thresholds))
      expect(made).toHaveProperty([/\{scenario:(\w+)\}$/.exec(metric)?.[1] as string]);
  });
});

it('bounds are those of the table', () => {
  expect(optionsOf(find('overload')).thresholds).toMatchObject({
    'good_count{scenario:slow_overload}': [`count>=${0.95 * CAPACITY * 60}`],
    'faults{scenario:slow_overload}': ['rate<=0'],
    'http_req_duration{scenario:health_overload}': ['p(99)<=5'],
    'http_req_failed{scenario:slow_before}': ['rate<=0.001'],
  });
  expect(optionsOf(find('steady')).thresholds).toMatchObject({
    'http_req_duration{scenario:predict_steady}': ['p(50)<=5', 'p(99)<=50'],
  });
});

it('a recovery is a cut in its phase, behind which everything has to be good', () => {
  const { scenarios: made, thresholds } = optionsOf(find('spike'));
  expect(made?.['slow_after']).toMatchObject({ startTime: '9s', duration: '1s' });
  expect(made?.['slow_after__settled']).toMatchObject({ startTime: '10s', duration: '7s', rate: 0.5 * CAPACITY * 60 });
  expect(thresholds?.['good{scenario:slow_after__settled}']).toEqual(['rate>=0.999']);
});

it('what the target has not is left out, and a run can be shortened', () => {
  const { scenarios: made = {}, thresholds = {} } = k6Options(find('steady'), {
    target: 'flights',
    capacityPerSecond: 0,
    seconds: 11,
  });
  expect(Object.keys(made).some((name) => name.startsWith('push'))).toBe(false);
  expect(Object.keys(thresholds).some((name) => name.includes('push'))).toBe(false);
  expect(made['predict_steady']).toMatchObject({ startTime: '1s', duration: '10s' });
});
