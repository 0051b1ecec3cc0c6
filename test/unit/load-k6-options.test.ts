// What k6 is given is what the table says: rates, times and thresholds.

import { describe, expect, it } from 'vitest';
import { k6Options, nameOf } from '../../load-tests/k6-options.ts';
import { loadOf, type Scenario, scenarios } from '../../load-tests/scenarios.ts';

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
