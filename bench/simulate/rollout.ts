// One simulated rollout: requests of units go to two servers, whose minutes the controller's own code adds up, judges and acts on.
// Only the requests and the clock are made up.

import { fnv1a, type Rollout } from '../../src/rollouts/index.ts';
import { breachOf } from '../../src/rollouts/controller/decide.ts';
import { SLOW_FACTOR } from '../../src/rollouts/controller/guard.ts';
import { createLedger } from '../../src/rollouts/controller/ledger.ts';
import { compilePlan, guardsOf } from '../../src/rollouts/controller/plan.ts';
import type { Phase } from '../../src/rollouts/controller/rollout.ts';
import { judge } from '../../src/rollouts/controller/verdicts.ts';
import { readWarmEvents } from '../../src/rollouts/controller/warm-events.ts';
import { CANDIDATE, createServedMinutes, ENDPOINT, type ServedMinutes, STABLE } from './served-minutes.ts';
import { simulateTraffic } from './traffic.ts';

export const TICK_SECONDS = 5;
const STEPS = [1, 5, 25, 50, 100];
const WARMUP_SECONDS = 30;
const REQUESTS_A_UNIT = 4;
const SERVERS = 2;
/** Outcomes are told within two minutes of their predictions. */
const LATEST_OUTCOME_TICKS = 24;
const SECOND = 1_000_000;
const START = 1_700_000_040 * SECOND;

/** What is wrong with the candidate. */
export interface Planted {
  readonly errorFactor?: number;
  readonly latencyFactor?: number;
  readonly outcomeFactor?: number;
  /** The part of its units whose requests never arrive. */
  readonly lost?: number;
}

export interface RolloutOptions extends Planted {
  readonly guards: readonly string[];
  /** A number about a unit's level, or true one time in five and less. */
  readonly outcome: 'mean' | 'conversion';
  readonly requestsASecond: number;
  readonly stepSeconds: number;
  readonly lookSeconds: number;
  readonly errors: number;
}

export interface Stop {
  readonly guards: readonly string[];
  readonly reason: string;
  readonly seconds: number;
  /** Percent that the candidate had. */
  readonly weight: number;
  readonly candidateRequests: number;
}

/** Undefined for a rollout that nothing stops. */
export async function simulateRollout(
  random: () => number,
  seed: number,
  options: RolloutOptions,
): Promise<Stop | undefined> {
  const { requestsASecond, stepSeconds, lookSeconds } = options;
  const stepTicks = stepSeconds / TICK_SECONDS;
  const ticks = STEPS.length * stepTicks;
  const units = Math.round((requestsASecond * ticks * TICK_SECONDS) / REQUESTS_A_UNIT);
  const traffic = simulateTraffic(random, { units, minutes: ticks, failing: options.errors });
  const hashes = Uint32Array.from({ length: units }, (_, unit) => fnv1a(`${seed}/${unit}`));
  const buckets = Uint16Array.from(hashes, (hash) => fnv1a(String(hash)) % 10_000);
  let nowMicros = START;
  const minutes = createServedMinutes(SERVERS, () => nowMicros);
  const requests = simulateRequests(random, options, traffic, minutes);
  const ledger = createLedger(minutes.evidence);
  let rollout = beginRollout(options.guards);
  const slow = slowFactorOf(rollout);
  for (let tick = 0; tick < ticks; tick++) {
    const seconds = tick * TICK_SECONDS;
    const step = Math.floor(tick / stepTicks) + 1;
    const weight = STEPS[step - 1] as number;
    nowMicros = START + seconds * SECOND;
    if (rollout.step !== step) rollout = nextStep(rollout, step, weight, nowMicros);
    for (let i = traffic.starts[tick] as number; i < (traffic.starts[tick + 1] as number); i++) {
      const unit = traffic.requests[i] as number;
      const isCandidate = (buckets[unit] as number) < weight * 100;
      requests.send({ tick, revision: step, unit, unitHash: hashes[unit] as number, isCandidate });
    }
    requests.tellOutcomes(tick);
    const since = (tick % stepTicks) * TICK_SECONDS + TICK_SECONDS;
    if ((seconds + TICK_SECONDS) % lookSeconds !== 0) continue;
    nowMicros += TICK_SECONDS * SECOND - 1;
    minutes.write();
    if ((seconds + TICK_SECONDS) % 60 === 0)
      rollout = { ...rollout, slowLimitMicros: minutes.tellSlow(nowMicros, slow) ?? rollout.slowLimitMicros };
    if (rollout.state === 'settling' && since >= WARMUP_SECONDS)
      rollout = await warmedUp({ ...rollout, stepMicros: since * SECOND }, minutes);
    const guardrails = judge(rollout, {
      tally: await ledger.look(rollout, nowMicros),
      late: [],
      matured: undefined,
    });
    const reason = breachOf(guardrails);
    if (reason === undefined) continue;
    const guards = guardrails.filter(({ verdict }) => verdict === 'breached').map(({ metric }) => metric);
    return { guards, reason, seconds: seconds + TICK_SECONDS, weight, candidateRequests: requests.ofCandidate() };
  }
  return undefined;
}

interface Request {
  readonly tick: number;
  readonly revision: number;
  readonly unit: number;
  readonly unitHash: number;
  readonly isCandidate: boolean;
}

/** What each request meets, and what becomes of it. */
function simulateRequests(
  random: () => number,
  { outcome, errorFactor = 1, latencyFactor = 1, outcomeFactor = 1, lost = 0 }: RolloutOptions,
  { failing, level, climate, minutes: ticks }: ReturnType<typeof simulateTraffic>,
  minutes: ServedMinutes,
) {
  const late = Array.from({ length: LATEST_OUTCOME_TICKS }, (): (() => void)[] => []);
  let ofCandidate = 0;
  return {
    ofCandidate: () => ofCandidate,
    send({ tick, revision, unit, unitHash, isCandidate }: Request): void {
      if (isCandidate && unitHash / 2 ** 32 < lost) return;
      const server = random() < 0.5 ? 0 : 1;
      const rate = (failing[unit] as number) * (climate[tick] as number);
      const own = level[unit] as number;
      const failed = random() < rate * (isCandidate ? errorFactor : 1);
      const hasNull = random() < rate / 2;
      // Of a unit with a level of its own, with a tail like a service's (log-logistic), slower at some hours.
      const noise = random();
      const hour = 1 + 0.3 * Math.sin((7 * tick) / ticks);
      const ms = hour * 20 * own ** 0.3 * (noise / (1 - noise)) ** 0.25 * (isCandidate ? latencyFactor : 1);
      if (isCandidate) ofCandidate++;
      minutes.answer({
        server,
        revision,
        isCandidate,
        unitHash,
        latencyMicros: Math.round(ms * 1000),
        failed,
        hasNull,
      });
      const factor = isCandidate ? outcomeFactor : 1;
      // What they come to drifts: twice as much at the end as at the start.
      const value =
        outcome === 'mean'
          ? own * (0.5 + random()) * (1 + tick / ticks) * factor
          : Number(random() < 0.2 * Math.min(1, own) * (0.5 + (0.5 * tick) / ticks) * factor);
      const delay = Math.floor(random() * LATEST_OUTCOME_TICKS);
      if (failed) return;
      const { version } = isCandidate ? CANDIDATE : STABLE;
      late[(tick + delay) % LATEST_OUTCOME_TICKS]?.push(() =>
        minutes.outcome(server, { revision, version, unitHash }, value),
      );
    },
    tellOutcomes(tick: number): void {
      const due = late[tick % LATEST_OUTCOME_TICKS] ?? [];
      for (const tell of due.splice(0)) tell();
    },
  };
}

function beginRollout(guards: readonly string[]): Rollout {
  return {
    id: 'simulated',
    endpoint: ENDPOINT,
    candidate: CANDIDATE.version,
    stable: STABLE.version,
    stableName: STABLE.name,
    candidateName: CANDIDATE.name,
    plan: compilePlan({ guards, steps: STEPS }, undefined),
    state: 'pending',
    step: 0,
    stateVersion: 0,
    leaseEpoch: 0,
    revision: null,
    phases: [],
    heldMicros: 0,
    stepMicros: 0,
    blindMicros: 0,
    lookedMicros: null,
    reason: null,
    guardrails: [],
    pausedFrom: null,
    pausedBy: null,
    slowLimitMicros: null,
    slowSetMicros: null,
    createdMicros: START,
    createdBy: 'a simulation',
    endedMicros: null,
  };
}

function nextStep(rollout: Rollout, step: number, weight: number, fromMicros: number): Rollout {
  const phase: Phase = { revision: step, weight, fromMicros, warm: null };
  return { ...rollout, step, state: 'settling', revision: step, phases: [...rollout.phases, phase] };
}

async function warmedUp(rollout: Rollout, { evidence }: ServedMinutes): Promise<Rollout> {
  const warm = await readWarmEvents(rollout, evidence);
  const last = rollout.phases.at(-1) as Phase;
  return { ...rollout, state: 'watching', phases: [...rollout.phases.slice(0, -1), { ...last, warm }] };
}

function slowFactorOf({ plan }: Rollout): number {
  const latency = guardsOf(plan).find(({ metric }) => metric === 'latency');
  return latency?.bound.kind === 'relative' ? 1 + latency.bound.tolerance : SLOW_FACTOR;
}
