// What the guardrails say of a tally: each by a test that holds at every look. All guards together stop a healthy rollout at
// most one time in twenty; the ratio of the units is watched apart, at one in a thousand.

import { createLimitTest, srmE } from '../../statistics/index.ts';
import type { MaturedOutcomes } from './arm-minute.ts';
import { byShare, doubtOf, excessOf, limitOf, type Tested, toleranceOf } from './event-evidence.ts';
import { type Guard, SLOW_SHARE } from './guard.ts';
import { outcomeVerdict } from './outcome-verdict.ts';
import { guardsOf } from './plan.ts';
import { type Guardrail, type Rollout, weightAt } from './rollout.ts';
import type { EventKind, Tally } from './tally.ts';

export interface Judged {
  readonly tally: Tally;
  /** Live servers whose minutes are late. */
  readonly late: readonly string[];
  /** Where the plan lets outcomes ripen. */
  readonly matured: readonly MaturedOutcomes[] | undefined;
}

/** Of all guards together. */
const ALPHA = 0.05;
const SRM_ALPHA = 0.001;

const KIND_OF: Readonly<Record<Exclude<Guard['metric'], 'outcome'>, EventKind>> = {
  error_rate: 'error',
  slow_rate: 'slow',
  null_rate: 'null',
  latency: 'slow',
};

/** One for each guard, then the ratio of the units, the breaker, and whether all servers are heard of. */
export function judge(rollout: Rollout, judged: Judged): readonly Guardrail[] {
  const guards = guardsOf(rollout.plan);
  const alpha = ALPHA / guards.length;
  const lack = lackOf(rollout, judged.tally);
  return [
    ...guards.map((guard) =>
      guard.metric === 'outcome'
        ? outcomeVerdict(rollout, guard, judged, alpha, lack)
        : eventVerdict(rollout, guard, KIND_OF[guard.metric], judged.tally, alpha, lack),
    ),
    breakerVerdict(judged.tally),
    srmVerdict(judged.tally),
    serversVerdict(judged.late),
  ];
}

/** Why nothing can be called healthy yet; undefined where it can. */
function lackOf({ plan, step, state, phases, ...rest }: Rollout, tally: Tally): string | undefined {
  if (state === 'promoted') return undefined;
  const all = tally.phases.reduce((sum, { candidateRows, stableRows }) => sum + candidateRows + stableRows, 0);
  if (all === 0) return 'no traffic';
  const revision = phases.at(-1)?.revision;
  const units = tally.candidateUnits(revision);
  if (units < plan.minUnits) return `the candidate had ${units} of ${plan.minUnits} units in this step`;
  const current = tally.phases.find((phase) => phase.revision === revision);
  if (current?.stableRows === 0 && weightAt({ plan, ...rest }, step) < 100) return 'stable had no traffic in this step';
  return undefined;
}

function eventVerdict(
  rollout: Rollout,
  guard: Guard,
  kind: EventKind,
  tally: Tally,
  alpha: number,
  lack: string | undefined,
): Guardrail {
  const minutes = tally.events(kind);
  const k = minutes.reduce((sum, minute) => sum + minute.k, 0);
  const kc = minutes.reduce((sum, minute) => sum + minute.kc, 0);
  const scale = tally.share(kind);
  const rows = tally.rowsOf(kind);
  const isLimit = guard.bound.kind === 'limit';
  const test = isLimit
    ? byLimit(guard.metric === 'latency' ? SLOW_SHARE : guard.bound.value, kc, Math.round(rows), alpha)
    : byShare(minutes, guard.metric === 'latency' ? 0 : toleranceOf(guard), guard.direction, alpha);
  const unknown = kind === 'slow' && !isLimit && rollout.slowLimitMicros === null;
  const why =
    lack ??
    (unknown ? 'stable has no three minutes yet that tell what is slow' : undefined) ??
    doubtOf(rollout, guard, test);
  return {
    metric: guard.name,
    verdict: test.breached ? 'breached' : why === undefined ? 'healthy' : 'undecided',
    limit: limitOf(guard),
    value: isLimit ? rateOf(kc, rows) : excessOf(minutes),
    evidence: {
      ...(test.e === undefined ? {} : { e: test.e }),
      breach_at: 1 / alpha,
      candidate_events: kc,
      stable_events: k - kc,
      candidate_units: tally.candidateUnits(),
      ...(scale < 1 ? { sampled: scale } : {}),
      ...(test.breached || why === undefined ? {} : { why }),
    },
  };
}

/** Units with an event, of requests: later ones of a unit weigh against a breach alone. */
function byLimit(limit: number, events: number, rows: number, alpha: number): Tested {
  const test = createLimitTest({ limit, thetas: 'rise', alpha });
  test.add(Math.min(events, rows), rows);
  return { e: test.e(), breached: test.breached() };
}

function rateOf(events: number, of: number): number | null {
  return of === 0 ? null : events / of;
}

/** All weights but those where one arm has everything: there is nothing to split. */
function srmVerdict(tally: Tally): Guardrail {
  const split = tally.phases.filter(({ w }) => w > 0 && w < 1);
  const e = srmE(
    split.map(({ candidateUnits, stableUnits, w }) => ({ counts: [candidateUnits, stableUnits], weights: [w, 1 - w] })),
  );
  const candidate = split.reduce((sum, { candidateUnits }) => sum + candidateUnits, 0);
  const stable = split.reduce((sum, { stableUnits }) => sum + stableUnits, 0);
  const expected = split.reduce(
    (sum, { candidateUnits, stableUnits, w }) => sum + w * (candidateUnits + stableUnits),
    0,
  );
  const isBreached = e >= 1 / SRM_ALPHA;
  return {
    metric: 'srm',
    verdict: isBreached
      ? 'breached'
      : candidate + stable === 0 && tally.candidateUnits() === 0
        ? 'undecided'
        : 'healthy',
    limit: null,
    value: rateOf(candidate, candidate + stable),
    evidence: {
      e,
      breach_at: 1 / SRM_ALPHA,
      candidate_units: candidate,
      stable_units: stable,
      candidate_expected: expected,
      ...(isBreached ? { why: `the candidate got ${candidate} units where ${Math.round(expected)} were due` } : {}),
    },
  };
}

function breakerVerdict(tally: Tally): Guardrail {
  const opens = tally.breakerOpens();
  return {
    metric: 'breaker',
    verdict: opens > 0 ? 'breached' : 'healthy',
    limit: 0,
    value: opens,
    evidence: opens > 0 ? { why: `a server's breaker sent the candidate's requests to stable` } : {},
  };
}

function serversVerdict(late: readonly string[]): Guardrail {
  return {
    metric: 'servers',
    verdict: late.length > 0 ? 'blind' : 'healthy',
    limit: null,
    value: null,
    evidence: late.length > 0 ? { why: `nothing came for 30 s from ${late.join(', ')}` } : {},
  };
}
