// Whole rollouts, 1, 5, 25, 50, 100 %, under all guardrails at once: how many healthy ones are stopped, and how soon those
// are that fail or are slow.

import { seeded } from './random.ts';
import { atLeast, atMost, median, shown, type Line, type Simulation } from './simulation.ts';
import { TICK_SECONDS, type Planted, simulateRollout, type Stop, GUARDS } from './rollout.ts';

const ALPHA = 0.05;
const REQUESTS_A_SECOND = 50;

export const simulateRollouts: Simulation = ({ isQuick }) => {
  const healthy = isQuick ? 15 : 200;
  const planted = isQuick ? 10 : 50;
  const requestsASecond = isQuick ? 25 : REQUESTS_A_SECOND;
  const options = { requestsASecond, alpha: ALPHA / GUARDS.length, errors: 0.004 };
  const stops = Array.from({ length: healthy }, (_, run) => simulateRollout(seeded(run + 1), options));
  const stopped = stops.filter((stop) => stop !== undefined);
  const by = GUARDS.map((guard) => `${guard} ${stopped.filter((stop) => stop.guard === guard).length}`).join(', ');
  const of = (what: string, change: Planted, seed: number): Line[] =>
    found(
      what,
      requestsASecond,
      isQuick,
      Array.from({ length: planted }, (_, run) => simulateRollout(seeded(seed + run), { ...options, ...change })),
    );
  return {
    title: 'rollouts: 1, 5, 25, 50, 100 %, ten minutes each',
    about: `${requestsASecond} requests a second of units as in A/A (errors .4 %); guardrails ${GUARDS.join(', ')}, each at ${ALPHA} / ${GUARDS.length}; looked at each ${TICK_SECONDS} s`,
    lines: [
      atMost('healthy rollouts stopped, by any guardrail', stopped.length, healthy, ALPHA, isQuick),
      shown('  by', by),
      ...of('errors .4 → 2 %', { errorFactor: 5 }, 10_001),
      ...of('latency × 1.5', { latencyFactor: 1.5 }, 20_001),
    ],
  };
};

function found(what: string, requestsASecond: number, isQuick: boolean, stops: readonly (Stop | undefined)[]): Line[] {
  const stopped = stops.filter((stop) => stop !== undefined);
  const seconds = stopped.map((stop) => stop.seconds).toSorted((a, b) => a - b);
  const late = seconds[Math.floor(0.95 * seconds.length)] ?? Number.NaN;
  const guards = GUARDS.filter((guard) => stopped.some((stop) => stop.guard === guard));
  return [
    atLeast(`${what}: stopped before 100 %`, stopped.length, stops.length, 1, isQuick),
    shown('  by', guards.map((g) => `${g} ${stopped.filter((stop) => stop.guard === g).length}`).join(', ')),
    shown(
      `  seconds from the first step, at ${requestsASecond} requests/s`,
      `${median(seconds)} (median), ${late} (95 %)`,
    ),
    shown(
      '  requests at the candidate until then',
      `${median(stopped.map((stop) => stop.candidateRequests))} (median)`,
    ),
    shown('  first events at the candidate, of all', medianEvents(stopped)),
  ];
}

function medianEvents(stops: readonly Stop[]): string {
  const counted = stops.filter((stop) => stop.events !== undefined);
  if (counted.length === 0) return 'none: no test of events stopped it';
  return `${median(counted.map(({ events }) => events?.candidate ?? 0))} of ${median(counted.map(({ events }) => events?.all ?? 0))} (medians)`;
}
