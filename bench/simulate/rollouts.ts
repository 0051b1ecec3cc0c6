// Whole rollouts, 1, 5, 25, 50, 100 %, through the minutes that servers count and the controller's own verdicts: how many healthy
// ones are stopped, and how soon those are that fail, are slow, or do worse.

import { seeded } from './random.ts';
import { type Planted, type RolloutOptions, simulateRollout, type Stop } from './rollout.ts';
import { atLeast, atMost, median, shown, type Line, type Simulation } from './simulation.ts';

const ALPHA = 0.05;
const ERRORS = 0.004;

type Plan = Pick<RolloutOptions, 'guards' | 'outcome'>;

/** No tolerance: a healthy candidate is at the bound of what is allowed. Each kind of guard is in one of them. */
const BY_STABLE: Plan = {
  guards: ['error_rate<+0%', 'slow_rate<+0%', 'null_rate<+0%', 'outcome>-0%'],
  outcome: 'mean',
};
const BY_LIMIT: Plan = {
  guards: ['error_rate<0.01', 'latency<+50%', 'null_rate<+0%', 'outcome>-0%'],
  outcome: 'conversion',
};

interface Case {
  readonly what: string;
  readonly planted: Planted;
  readonly plan: Plan;
  /** The part of such rollouts that is stopped at least. */
  readonly least: number;
  readonly requestsASecond: number;
}

/** A quick run has less of everything, so what is wrong is worse. */
function casesOf(isQuick: boolean): readonly Case[] {
  const [latencyFactor, outcomeFactor, lost, many, least] = isQuick ? [3, 0.5, 0.5, 50, 1] : [1.5, 0.9, 0.2, 300, 0.8];
  const drop = `outcome −${Math.round(100 * (1 - outcomeFactor))} %`;
  const slower = `latency × ${latencyFactor}`;
  const every = { least: 1, requestsASecond: 50 };
  return [
    { what: 'errors .4 → 2 %', planted: { errorFactor: 5 }, plan: BY_STABLE, ...every },
    { what: `${slower}, by slow_rate`, planted: { latencyFactor }, plan: BY_STABLE, ...every },
    { what: `${slower}, by latency`, planted: { latencyFactor }, plan: BY_LIMIT, ...every },
    { what: `${drop}, a mean`, planted: { outcomeFactor }, plan: BY_STABLE, least, requestsASecond: many },
    { what: `${drop}, a conversion`, planted: { outcomeFactor }, plan: BY_LIMIT, least, requestsASecond: many },
    { what: `${100 * lost} % of the candidate’s units lost`, planted: { lost }, plan: BY_STABLE, ...every },
  ];
}

export const simulateRollouts: Simulation = async ({ isQuick }) => {
  const healthy = isQuick ? 4 : 200;
  const planted = isQuick ? 1 : 10;
  const options = { requestsASecond: 25, stepSeconds: isQuick ? 240 : 600, lookSeconds: 60, errors: ERRORS };
  const many = async (plan: Plan, runs: number, seed: number, change: Partial<RolloutOptions> = {}) => {
    const stops: (Stop | undefined)[] = [];
    for (let at = seed; at < seed + runs; at++)
      stops.push(await simulateRollout(seeded(at), at, { ...options, ...plan, ...change }));
    return stops;
  };
  const all = [...(await many(BY_STABLE, healthy / 2, 1)), ...(await many(BY_LIMIT, healthy / 2, 1_001))];
  const lines: Line[] = [
    atMost('healthy rollouts stopped, by any guardrail', stoppedOf(all).length, healthy, ALPHA, isQuick),
    shown('  by', byGuards(stoppedOf(all))),
  ];
  for (const [at, one] of casesOf(isQuick).entries()) {
    const change = { ...one.planted, requestsASecond: one.requestsASecond };
    lines.push(...found(one, await many(one.plan, planted, 10_001 * (at + 1), change), isQuick));
  }
  return {
    title: 'rollouts: 1, 5, 25, 50, 100 %, by the controller',
    about: `${options.requestsASecond} requests a second of units as in A/A (errors .4 %) at two servers, ${options.stepSeconds / 60} minutes a step; rows by the servers’ minute collector, added up and judged by the controller’s code each ${options.lookSeconds} s, warm-ups left out; half by the guards ${BY_STABLE.guards.join(', ')} (a mean), half by ${BY_LIMIT.guards.join(', ')} (true or false), each guard at ${ALPHA} / 4, and the sample ratio`,
    lines,
  };
};

function stoppedOf(stops: readonly (Stop | undefined)[]): readonly Stop[] {
  return stops.filter((stop) => stop !== undefined);
}

function byGuards(stops: readonly Stop[]): string {
  const counts = new Map<string, number>();
  for (const { guards } of stops) for (const guard of guards) counts.set(guard, (counts.get(guard) ?? 0) + 1);
  return [...counts].map(([guard, count]) => `${guard} ${count}`).join(', ') || 'none';
}

function found({ what, least, requestsASecond }: Case, stops: readonly (Stop | undefined)[], isQuick: boolean): Line[] {
  // With all of the traffic there is nothing to compare with any more.
  const stopped = stoppedOf(stops).filter(({ weight }) => weight < 100);
  const seconds = stopped.map((stop) => stop.seconds).toSorted((a, b) => a - b);
  const late = seconds[Math.floor(0.95 * seconds.length)] ?? Number.NaN;
  return [
    atLeast(`${what}: stopped before 100 %`, stopped.length, stops.length, least, isQuick),
    shown('  by', byGuards(stopped)),
    shown(
      `  seconds from the first step, at ${requestsASecond} requests/s`,
      `${median(seconds)} (median), ${late} (95 %)`,
    ),
    shown(
      '  requests at the candidate until then',
      `${median(stopped.map((stop) => stop.candidateRequests))} (median)`,
    ),
  ];
}
