// The guard on what became of predictions. Outcomes of true and false are events; of numbers, means are compared step by step,
// with an error that knows which rows are of one unit.

import {
  addGrouped,
  createGroupTotals,
  createLimitTest,
  type GroupTotals,
  msprt,
  stratifiedDifference,
  type Stratum as ComparedStratum,
} from '../../statistics/index.ts';
import type { MaturedOutcomes } from './arm-minute.ts';
import { byShare, type CountedMinute, doubtOf, excessOf, limitOf, type Tested, toleranceOf } from './event-evidence.ts';
import type { Guard } from './guard.ts';
import type { Guardrail, Rollout } from './rollout.ts';
import type { Tally } from './tally.ts';

/** The candidate is due so many before a step is left. */
const EXPECTED_EVENTS = 25;
/** Means are nearly normal of so many units, and so many of the candidate's with an outcome that is not 0. */
const LEAST_UNITS = 200;
const LEAST_EVENTS = 25;
/** A change worth knowing, of the base. */
const WORTH_KNOWING = 0.1;

interface Stratum {
  readonly w: number;
  readonly candidate: GroupTotals;
  readonly stable: GroupTotals;
}

interface Outcomes {
  readonly strata: readonly Stratum[];
  /** First events of units, in order. */
  readonly minutes: readonly CountedMinute[];
  /** Outcomes of the candidate that its events are of. */
  readonly counted: number;
  /** Units of the candidate that have any event. */
  readonly eventUnits: number;
}

export function outcomeVerdict(
  rollout: Rollout,
  guard: Guard,
  { tally, matured }: { readonly tally: Tally; readonly matured: readonly MaturedOutcomes[] | undefined },
  alpha: number,
  lack: string | undefined,
): Guardrail {
  const outcomes = matured === undefined ? byTally(tally) : byLog(rollout, tally, matured);
  const { strata } = outcomes;
  const candidate = sumOf(strata.map((stratum) => stratum.candidate));
  const stable = sumOf(strata.map((stratum) => stratum.stable));
  const isEvents = isBinary(candidate) && isBinary(stable);
  const measured = isEvents
    ? measureEvents(guard, outcomes, candidate, alpha)
    : measureMeans(guard, outcomes, tally.candidateUnits(), alpha);
  const { tested, value, evidence } = measured;
  const ofUnits = matured === undefined ? tally.outcomesOfUnits() : 0;
  const why = measured.why ?? lack ?? lackOf(guard, isEvents, candidate, stable) ?? doubtOf(rollout, guard, tested);
  const isBreached = tested?.breached === true;
  return {
    metric: guard.name,
    verdict: isBreached ? 'breached' : why === undefined ? 'healthy' : 'undecided',
    limit: limitOf(guard),
    value,
    evidence: {
      ...(tested?.e === undefined ? {} : { e: tested.e, breach_at: 1 / alpha }),
      ...evidence,
      candidate_outcomes: candidate.n,
      stable_outcomes: stable.n,
      outcomes_from: matured === undefined ? 'servers' : 'log',
      ...(ofUnits === 0 ? {} : { not_counted: ofUnits }),
      ...(isBreached || why === undefined ? {} : { why: `${why}${ofUnits === 0 ? '' : sayNotCounted(ofUnits)}` }),
    },
  };
}

interface Measured {
  readonly tested: Tested | undefined;
  readonly value: number | null;
  readonly evidence: Guardrail['evidence'];
  readonly why?: string | undefined;
}

function measureEvents(guard: Guard, { minutes, counted }: Outcomes, candidate: Sum, alpha: number): Measured {
  const kc = minutes.reduce((sum, minute) => sum + minute.kc, 0);
  const k = minutes.reduce((sum, minute) => sum + minute.k, 0);
  const evidence = { candidate_events: kc, stable_events: k - kc };
  if (guard.bound.kind === 'relative') {
    const tested = byShare(minutes, toleranceOf(guard), guard.direction, alpha);
    return { tested, value: excessOf(minutes), evidence };
  }
  const test = createLimitTest({ limit: guard.bound.value, thetas: guard.direction, alpha });
  const n = Math.round(counted);
  test.add(Math.min(kc, n), n);
  const value = candidate.n === 0 ? null : candidate.sum / candidate.n;
  return { tested: { e: test.e(), breached: test.breached() }, value, evidence };
}

/** `metUnits`: of the candidate, whether or not anything became of them. */
function measureMeans(guard: Guard, { strata, eventUnits }: Outcomes, metUnits: number, alpha: number): Measured {
  if (guard.bound.kind === 'limit')
    return { tested: undefined, value: null, evidence: {}, why: 'a fixed limit is for outcomes of true and false' };
  const seen = stratifiedDifference(strata.map((stratum) => comparedBy(stratum, 1)));
  if (seen === undefined || seen.base === 0)
    return { tested: undefined, value: null, evidence: {}, why: 'the arms have no outcomes to compare yet' };
  const { difference, base } = seen;
  // What is tested is R_c − (1 + d) R_b, so its error is wanted, and not that of R_c − R_b. The bad side stays where R_b is below 0.
  const allowed = 1 + guard.bound.tolerance * Math.sign(base);
  const { difference: past, seByBase: se } =
    stratifiedDifference(strata.map((stratum) => comparedBy(stratum, allowed))) ?? seen;
  const tau = WORTH_KNOWING * Math.abs(base);
  const { lo, hi } = msprt({ difference: past, se, tau, alpha, oneSided: true });
  const isPast = guard.direction === 'rise' ? lo > 0 : hi < 0;
  const units = [
    Math.min(metUnits, unitsOf(strata.map(({ candidate }) => candidate))),
    unitsOf(strata.map(({ stable }) => stable)),
  ] as const;
  const why =
    Math.min(...units) < LEAST_UNITS
      ? `outcomes of about ${units[0]} units of the candidate, ${units[1]} of stable, of ${LEAST_UNITS}`
      : eventUnits < LEAST_EVENTS
        ? `${eventUnits} units of the candidate with an outcome that is not 0, of ${LEAST_EVENTS}`
        : undefined;
  return {
    tested: { breached: isPast && why === undefined },
    value: difference / Math.abs(base),
    evidence: { difference, base, past_allowed: past, se, interval: [lo, hi], candidate_event_units: eventUnits },
    why,
  };
}

/** `scale`: what the base's values are multiplied by. */
function comparedBy({ candidate, stable }: Stratum, scale: number): ComparedStratum {
  return {
    candidate: { y: candidate.sum, n: candidate.n },
    base: { y: stable.sum.map((sum) => sum * scale), n: stable.n },
  };
}

/**
 * About how many units outcomes are of, from how many groups have none (linear counting, Whang et al. 1990): many outcomes may
 * be of a few units. Never more than there are outcomes.
 */
function unitsOf(all: readonly GroupTotals[]): number {
  const { n: whole } = sumOf(all);
  const groups = all[0]?.n.length ?? 0;
  let empty = 0;
  for (let g = 0; g < groups; g++) if (all.every(({ n }) => n[g] === 0)) empty++;
  return empty === 0 ? whole : Math.min(whole, Math.round(groups * Math.log(groups / empty)));
}

function sayNotCounted(ofUnits: number): string {
  return `; ${ofUnits} that were told of units are not counted without maturity`;
}

function lackOf(guard: Guard, isEvents: boolean, candidate: Sum, stable: Sum): string | undefined {
  if (candidate.n === 0) return 'no outcomes of the candidate yet';
  if (!isEvents) return undefined;
  const rate = guard.bound.kind === 'limit' ? guard.bound.value : stable.n === 0 ? 0 : stable.sum / stable.n;
  const due = rate * candidate.n;
  return due < EXPECTED_EVENTS
    ? `${Math.floor(due)} of ${EXPECTED_EVENTS} true outcomes were due of the candidate`
    : undefined;
}

interface Sum {
  readonly n: number;
  readonly sum: number;
  readonly squares: number;
}

function sumOf(all: readonly GroupTotals[]): Sum {
  const total = { n: 0, sum: 0, squares: 0 };
  for (const { n, sum, squares } of all) {
    for (let g = 0; g < n.length; g++) {
      total.n += n[g] as number;
      total.sum += sum[g] as number;
      total.squares += squares[g] as number;
    }
  }
  return total;
}

/** Zeros and ones are their own squares; others can't make up for each other, as y² − y is below zero between them alone. */
function isBinary({ n, sum, squares }: Sum): boolean {
  return sum === squares && sum >= 0 && sum <= n && Number.isInteger(sum);
}

function byTally(tally: Tally): Outcomes {
  return {
    strata: tally.phases,
    minutes: tally.events('outcome'),
    counted: tally.rowsOf('outcome'),
    eventUnits: tally.candidateEventUnits(),
  };
}

function byLog({ candidate, stable }: Rollout, tally: Tally, matured: readonly MaturedOutcomes[]): Outcomes {
  const minutes = new Map<string, { minute: number; k: number; kc: number; w: number }>();
  const seen = new Set<number>();
  const strata = tally.phases.map(({ revision, w }) => {
    const stratum = { revision, w, candidate: createGroupTotals(), stable: createGroupTotals() };
    for (const one of matured) {
      if (one.revision !== revision || (one.version !== candidate && one.version !== stable)) continue;
      addGrouped(one.version === candidate ? stratum.candidate : stratum.stable, one);
    }
    return stratum;
  });
  const events = matured
    .flatMap(({ version, revision, events: of }) => of.map((event) => ({ ...event, version, revision })))
    .sort((one, other) => one.minute - other.minute || one.revision - other.revision);
  for (const { unitHash, minute, version, revision } of events) {
    const w = strata.find((stratum) => stratum.revision === revision)?.w;
    if (w === undefined || unitHash === 0 || seen.has(unitHash)) continue;
    seen.add(unitHash);
    const key = `${minute} ${revision}`;
    const at = minutes.get(key) ?? { minute, k: 0, kc: 0, w };
    minutes.set(key, at);
    at.k++;
    if (version === candidate) at.kc++;
  }
  const ofCandidate = events.filter(({ version, unitHash }) => version === candidate && unitHash !== 0);
  return {
    strata,
    minutes: [...minutes.values()],
    counted: sumOf(strata.map((stratum) => stratum.candidate)).n,
    eventUnits: new Set(ofCandidate.map(({ unitHash }) => unitHash)).size,
  };
}
