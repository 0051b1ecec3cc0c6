// The load scenarios and what each must hold, in one table: the built-in driver and k6 both run it. Plain data, without
// anything of Node, so that k6 can read it.

import type { RequestKind } from './requests.ts';

/**
 * How much comes. `perSecond` (to `upTo`, evenly rising) and `ofCapacity` send at their times, whether or not the answers
 * before have come, so that a server which stalls is not spared what would have come meanwhile; `connections` each wait for
 * their answer before they ask again. `ofCapacity` is a multiple of what the slow model was measured to do.
 */
export type Load =
  | { readonly perSecond: number; readonly upTo?: number }
  | { readonly ofCapacity: number }
  | { readonly connections: number };

export interface Phase {
  readonly name: string;
  readonly seconds: number;
  /** A shortened run leaves so many of them; default 1. */
  readonly leastSeconds?: number;
}

/** Requests of one kind; a load for each phase, or one for all. */
export interface Stream {
  readonly request: RequestKind;
  readonly loads: readonly Load[];
}

/** What breaks a run. Latencies are of answers with 2xx, from the moment at which the request was to be sent. */
export type Threshold =
  | {
      readonly measure: 'latency';
      readonly request: RequestKind;
      readonly phase: string;
      readonly percentile: 50 | 99;
      readonly atMostMs: number;
    }
  /** The share of requests without an answer 2xx. */
  | { readonly measure: 'errors'; readonly request: RequestKind; readonly phase: string; readonly atMost: number }
  /** The share of requests that were neither answered (2xx) nor refused in order (429, 504). */
  | { readonly measure: 'faults'; readonly request: RequestKind; readonly phase: string; readonly atMost: number }
  /** Answers within the deadline, as a share of what the slow model was measured to do. */
  | { readonly measure: 'goodput'; readonly request: RequestKind; readonly phase: string; readonly atLeast: number }
  /** From the phase's start until every request of a whole second is answered within its deadline. */
  | { readonly measure: 'recovery'; readonly request: RequestKind; readonly phase: string; readonly atMostMs: number }
  /** The server's memory: its greatest in the last third of the run over that of the second. */
  | { readonly measure: 'growth'; readonly atMost: number };

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly phases: readonly Phase[];
  readonly streams: readonly Stream[];
  readonly thresholds: readonly Threshold[];
}

const latency = (request: RequestKind, phase: string, percentile: 50 | 99, atMostMs: number): Threshold => ({
  measure: 'latency',
  request,
  phase,
  percentile,
  atMostMs,
});
const errors = (request: RequestKind, phase: string, atMost: number): Threshold => ({
  measure: 'errors',
  request,
  phase,
  atMost,
});

const FEW = 0.001;
/** A bare server, which is no part of what is tested: what it takes meanwhile is what the machine allows. */
const BARE: Stream = { request: 'bare', loads: [{ perSecond: 100 }] };
const PROBES: readonly Stream[] = [
  { request: 'health', loads: [{ perSecond: 100 }] },
  { request: 'cheap', loads: [{ perSecond: 100 }] },
  BARE,
];

export const scenarios: readonly Scenario[] = [
  {
    name: 'steady',
    about: 'what a server does all day: predictions, reads and pushes at an even rate',
    phases: [
      { name: 'warm-up', seconds: 3 },
      { name: 'steady', seconds: 30 },
    ],
    streams: [
      { request: 'predict', loads: [{ perSecond: 300 }] },
      { request: 'predict-64', loads: [{ perSecond: 10 }] },
      { request: 'read', loads: [{ perSecond: 150 }] },
      { request: 'push', loads: [{ perSecond: 40 }] },
      BARE,
    ],
    thresholds: [
      latency('predict', 'steady', 50, 5),
      latency('predict', 'steady', 99, 50),
      latency('predict-64', 'steady', 99, 100),
      latency('read', 'steady', 99, 50),
      latency('push', 'steady', 99, 100),
      errors('predict', 'steady', FEW),
      errors('predict-64', 'steady', FEW),
      errors('read', 'steady', FEW),
      errors('push', 'steady', FEW),
    ],
  },
  {
    name: 'ramp',
    about: 'a morning: from little to much, evenly',
    phases: [
      { name: 'warm-up', seconds: 3 },
      { name: 'ramp', seconds: 40 },
      { name: 'top', seconds: 10 },
    ],
    streams: [
      { request: 'predict', loads: [{ perSecond: 50 }, { perSecond: 50, upTo: 2000 }, { perSecond: 2000 }] },
      { request: 'read', loads: [{ perSecond: 20 }, { perSecond: 20, upTo: 400 }, { perSecond: 400 }] },
      BARE,
    ],
    thresholds: [
      latency('predict', 'ramp', 99, 50),
      latency('predict', 'top', 50, 10),
      latency('predict', 'top', 99, 50),
      latency('read', 'top', 99, 50),
      errors('predict', 'ramp', FEW),
      errors('predict', 'top', FEW),
      errors('read', 'top', FEW),
    ],
  },
  {
    name: 'spike',
    about: 'ten times what a 20 ms model can do, for a few seconds',
    phases: [
      { name: 'before', seconds: 5 },
      { name: 'spike', seconds: 4, leastSeconds: 2 },
      { name: 'after', seconds: 8, leastSeconds: 4 },
    ],
    streams: [{ request: 'slow', loads: [{ ofCapacity: 0.5 }, { ofCapacity: 10 }, { ofCapacity: 0.5 }] }, ...PROBES],
    thresholds: [
      errors('slow', 'before', FEW),
      { measure: 'recovery', request: 'slow', phase: 'after', atMostMs: 1000 },
      { measure: 'faults', request: 'slow', phase: 'spike', atMost: 0 },
      errors('health', 'spike', 0),
      errors('cheap', 'spike', 0),
    ],
  },
  {
    name: 'overload',
    about: 'twice what a 20 ms model can do, for a minute; beside it health and a cheap endpoint',
    phases: [
      { name: 'before', seconds: 5 },
      { name: 'overload', seconds: 60, leastSeconds: 5 },
      { name: 'after', seconds: 8, leastSeconds: 4 },
    ],
    streams: [{ request: 'slow', loads: [{ ofCapacity: 0.5 }, { ofCapacity: 2 }, { ofCapacity: 0.5 }] }, ...PROBES],
    thresholds: [
      errors('slow', 'before', FEW),
      { measure: 'goodput', request: 'slow', phase: 'overload', atLeast: 0.95 },
      { measure: 'recovery', request: 'slow', phase: 'after', atMostMs: 1000 },
      { measure: 'faults', request: 'slow', phase: 'overload', atMost: 0 },
      latency('health', 'overload', 99, 5),
      latency('cheap', 'overload', 99, 5),
      errors('health', 'overload', 0),
      errors('cheap', 'overload', 0),
    ],
  },
  {
    name: 'soak',
    about: 'as much as a few connections can ask, for long: nothing may grow',
    phases: [
      { name: 'warm-up', seconds: 5 },
      { name: 'soak', seconds: 600 },
    ],
    streams: [
      { request: 'predict', loads: [{ connections: 8 }] },
      { request: 'predict-64', loads: [{ connections: 1 }] },
      { request: 'read', loads: [{ connections: 2 }] },
      { request: 'push', loads: [{ connections: 1 }] },
      BARE,
    ],
    thresholds: [
      { measure: 'growth', atMost: 1.1 },
      latency('predict', 'soak', 99, 50),
      latency('read', 'soak', 99, 50),
      errors('predict', 'soak', FEW),
      errors('predict-64', 'soak', FEW),
      errors('read', 'soak', FEW),
      errors('push', 'soak', FEW),
    ],
  },
];

/** The load of a stream in a phase. */
export function loadOf({ loads }: Stream, phase: number): Load {
  return (loads.length === 1 ? loads[0] : loads[phase]) as Load;
}

/** The whole run in so many seconds, each phase its share of them, but not less than its least. */
export function shorten(scenario: Scenario, seconds: number): Scenario {
  const total = scenario.phases.reduce((sum, phase) => sum + phase.seconds, 0);
  if (seconds >= total) return scenario;
  const phases = scenario.phases.map((phase) => ({
    ...phase,
    seconds: Math.min(phase.seconds, Math.max(phase.leastSeconds ?? 1, (phase.seconds * seconds) / total)),
  }));
  return { ...scenario, phases };
}
