// One simulated rollout, tick by tick, with what servers would count and the controller would judge.

import { srmE, type WeightPhase } from '../../src/statistics/index.ts';
import { createSlowThreshold } from './slow-threshold.ts';
import { tallyEvents, tallyMeans } from './tallies.ts';
import { rampOf, simulateTraffic } from './traffic.ts';

export const TICK_SECONDS = 5;
const STEPS = [0.01, 0.05, 0.25, 0.5, 1];
const STEP_SECONDS = 600;
const TICKS = (STEPS.length * STEP_SECONDS) / TICK_SECONDS;
const TICKS_A_MINUTE = 60 / TICK_SECONDS;
const REQUESTS_A_UNIT = 4;
const SRM_ALPHA = 0.001;

/** Those that share alpha; the sample ratio has its own, .001. */
export const GUARDS = ['error_rate', 'slow_rate', 'null_rate', 'latency', 'outcome'] as const;
export type Guard = (typeof GUARDS)[number] | 'sample ratio';

export interface Planted {
  readonly errorFactor?: number;
  readonly latencyFactor?: number;
}

export interface RolloutOptions extends Planted {
  readonly requestsASecond: number;
  /** Of each guardrail. */
  readonly alpha: number;
  readonly errors: number;
}

export interface Stop {
  readonly guard: Guard;
  readonly seconds: number;
  readonly candidateRequests: number;
  /** First events that a test of events had by then. */
  readonly events: { readonly candidate: number; readonly all: number } | undefined;
}

/** Undefined for a rollout that nothing stops. */
export function simulateRollout(random: () => number, options: RolloutOptions): Stop | undefined {
  const { requestsASecond, alpha, errors, errorFactor = 1, latencyFactor = 1 } = options;
  const units = Math.round((requestsASecond * TICKS * TICK_SECONDS) / REQUESTS_A_UNIT);
  const traffic = simulateTraffic(random, { units, minutes: TICKS, failing: errors });
  const { bucket, group, failing, level, climate, requests, starts } = traffic;
  const ramp = rampOf(STEPS, TICKS);
  const failed = tallyEvents(units, { thetas: 'rise', alpha });
  const slow = tallyEvents(units, { thetas: 'rise', alpha });
  const nulls = tallyEvents(units, { thetas: 'rise', alpha });
  const latencies = tallyMeans(group, alpha);
  const outcomes = tallyMeans(group, alpha);
  const threshold = createSlowThreshold();
  const seen = new Uint8Array(units);
  const phases: { counts: [number, number]; weights: [number, number] }[] = [];
  let candidateRequests = 0;
  for (let tick = 0; tick < TICKS; tick++) {
    const w = ramp[tick] as number;
    if (w === 1) return undefined;
    latencies.weight(w);
    outcomes.weight(w);
    if (phases.at(-1)?.weights[1] !== w) phases.push({ counts: [0, 0], weights: [1 - w, w] });
    const counts = (phases.at(-1) as WeightPhase).counts as [number, number];
    if (tick % TICKS_A_MINUTE === 0) threshold.nextMinute();
    for (let i = starts[tick] as number; i < (starts[tick + 1] as number); i++) {
      const unit = requests[i] as number;
      const isCandidate = (bucket[unit] as number) < w;
      if (isCandidate) candidateRequests++;
      if (seen[unit] === 0) {
        seen[unit] = 1;
        counts[isCandidate ? 1 : 0]++;
      }
      const rate = (failing[unit] as number) * (climate[tick] as number);
      if (random() < rate * (isCandidate ? errorFactor : 1)) failed.event(unit, isCandidate);
      if (random() < rate / 2) nulls.event(unit, isCandidate);
      // Milliseconds; of a unit with a level of its own, with a tail like a service's (log-logistic).
      const noise = random();
      const own = 20 * (level[unit] as number) ** 0.3;
      const ms = own * (noise / (1 - noise)) ** 0.25 * (isCandidate ? latencyFactor : 1);
      if (threshold.isSlow(ms)) slow.event(unit, isCandidate);
      if (!isCandidate) threshold.add(ms);
      latencies.add(unit, isCandidate, ms, 1);
      outcomes.add(unit, isCandidate, Number(random() < 0.2 * Math.min(1, level[unit] as number)), 1);
    }
    const stop = (guard: Guard, events?: Stop['events']): Stop => ({
      guard,
      seconds: (tick + 1) * TICK_SECONDS,
      candidateRequests,
      events,
    });
    for (const [guard, tally] of [
      ['error_rate', failed],
      ['slow_rate', slow],
      ['null_rate', nulls],
    ] as const) {
      if (tally.minute(w)) return stop(guard, { candidate: tally.atCandidate(), all: tally.events() });
    }
    if (tick % TICKS_A_MINUTE !== 0) continue;
    const latency = latencies.look();
    if (latency !== undefined && latency.difference > latency.oneSided) return stop('latency');
    const outcome = outcomes.look();
    if (outcome !== undefined && -outcome.difference > outcome.oneSided) return stop('outcome');
    if (srmE(phases) >= 1 / SRM_ALPHA) return stop('sample ratio');
  }
  return undefined;
}
