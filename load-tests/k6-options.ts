// The table as k6 takes it: a k6 scenario for each stream and phase, thresholds on them by their names. Plain data, made
// apart from k6's own modules so that a test can hold it against the table.

import type { Options, Scenario as K6Scenario } from 'k6/options';
import { requestOf, type RequestKind, type Target } from './requests.ts';
import { type Load, loadOf, type Phase, type Scenario, shorten, type Threshold } from './scenarios.ts';

export interface K6Run {
  readonly target: Target;
  /** Requests a second of the slow model, where the scenario wants it. */
  readonly capacityPerSecond: number;
  readonly seconds?: number;
}

/** A rate that k6 keeps beside its own: whether an answer came, and within its deadline. */
export const GOOD = 'good';
export const FAULTS = 'faults';
export const GOOD_COUNT = 'good_count';

/** The bare server is the built-in driver's, and k6 does not see the server's memory: both are left out. */
export function k6Options(whole: Scenario, run: K6Run): Options {
  const scenario = split(run.seconds === undefined ? whole : shorten(whole, run.seconds));
  const has = (request: RequestKind): boolean => request !== 'bare' && requestOf(run.target, request, 0) !== undefined;
  const scenarios: Record<string, K6Scenario> = {};
  let startSeconds = 0;
  scenario.phases.forEach((phase, at) => {
    for (const stream of scenario.streams) {
      if (!has(stream.request)) continue;
      const load = loadOf(stream, at);
      scenarios[nameOf(stream.request, phase.name)] = {
        ...k6Load(load, phase, run),
        startTime: `${seconds(startSeconds)}s`,
        gracefulStop: '10s',
        env: { REQUEST: stream.request },
      };
    }
    startSeconds += phase.seconds;
  });
  const thresholds: Record<string, string[]> = {};
  for (const threshold of whole.thresholds) {
    if (threshold.measure === 'growth' || !has(threshold.request)) continue;
    const { metric, bound } = k6Threshold(threshold, scenario, run);
    (thresholds[metric] ??= []).push(bound);
  }
  return { scenarios, thresholds };
}

export function nameOf(request: RequestKind, phase: string): string {
  return `${request}_${phase}`.replaceAll(/[^a-z0-9]/gi, '_');
}

const SETTLED = ', settled';

// k6 knows no recovery time: the phase is cut at the bound, and behind it everything has to be good.
function split(scenario: Scenario): Scenario {
  const cuts = new Map(
    scenario.thresholds.flatMap((threshold) =>
      threshold.measure === 'recovery' ? [[threshold.phase, threshold.atMostMs / 1000] as const] : [],
    ),
  );
  const places = scenario.phases.flatMap((phase, at): { readonly phase: Phase; readonly at: number }[] => {
    const cut = cuts.get(phase.name);
    if (cut === undefined) return [{ phase, at }];
    return [
      { phase: { ...phase, seconds: cut }, at },
      { phase: { ...phase, name: phase.name + SETTLED, seconds: phase.seconds - cut }, at },
    ];
  });
  return {
    ...scenario,
    phases: places.map(({ phase }) => phase),
    streams: scenario.streams.map((stream) => ({ ...stream, loads: places.map(({ at }) => loadOf(stream, at)) })),
  };
}

const MOST_VUS = 512;

function k6Load(load: Load, phase: Phase, { capacityPerSecond }: K6Run): K6Scenario {
  const duration = `${seconds(phase.seconds)}s`;
  if ('connections' in load) return { executor: 'constant-vus', vus: load.connections, duration };
  const from = 'ofCapacity' in load ? load.ofCapacity * capacityPerSecond : load.perSecond;
  const to = 'ofCapacity' in load ? from : (load.upTo ?? load.perSecond);
  const vus = {
    preAllocatedVUs: Math.min(MOST_VUS, Math.max(8, Math.ceil(Math.max(from, to) / 10))),
    maxVUs: MOST_VUS,
  };
  // k6 takes whole numbers only: a minute's worth loses least.
  const rate = { timeUnit: '1m' };
  if (from === to) return { executor: 'constant-arrival-rate', rate: Math.round(from * 60), duration, ...rate, ...vus };
  return {
    executor: 'ramping-arrival-rate',
    startRate: Math.round(from * 60),
    stages: [{ target: Math.round(to * 60), duration }],
    ...rate,
    ...vus,
  };
}

function k6Threshold(
  threshold: Exclude<Threshold, { readonly measure: 'growth' }>,
  scenario: Scenario,
  { capacityPerSecond }: K6Run,
): { readonly metric: string; readonly bound: string } {
  const { request, phase } = threshold;
  const of = (metric: string, name = phase): string => `${metric}{scenario:${nameOf(request, name)}}`;
  switch (threshold.measure) {
    case 'latency':
      return { metric: of('http_req_duration'), bound: `p(${threshold.percentile})<=${threshold.atMostMs}` };
    case 'errors':
      return { metric: of('http_req_failed'), bound: `rate<=${threshold.atMost}` };
    case 'faults':
      return { metric: of(FAULTS), bound: `rate<=${threshold.atMost}` };
    case 'goodput': {
      const lasts = scenario.phases.find(({ name }) => name === phase)?.seconds ?? 0;
      return { metric: of(GOOD_COUNT), bound: `count>=${Math.floor(threshold.atLeast * capacityPerSecond * lasts)}` };
    }
    default:
      return { metric: of(GOOD, phase + SETTLED), bound: 'rate>=0.999' };
  }
}

function seconds(value: number): number {
  return Number(value.toFixed(3));
}
