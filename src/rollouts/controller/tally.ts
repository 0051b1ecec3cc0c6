// What the minutes of a rollout add up to: units first seen by phase, and each unit's first event by minute, whichever arm and
// server it was at. Units are known by their hashes; where a sketch holds only the lowest, those below that are counted from then on.

import type { Micros } from '../../core/index.ts';
import {
  addGrouped,
  copyGroups,
  createGroupTotals,
  type GroupTotals,
  type HashSample,
  unpackHashes,
} from '../../statistics/index.ts';
import type { ArmMinute } from './arm-minute.ts';
import { type LayeredHashes, layerOver } from './layered-hashes.ts';
import type { Phase } from './rollout.ts';

export type EventKind = 'error' | 'slow' | 'null' | 'outcome';
export const EVENT_KINDS: readonly EventKind[] = ['error', 'slow', 'null', 'outcome'];
type Kind = EventKind | 'units';

/** First events of one minute under one revision; `w`: the candidate's share of the units. */
export interface EventMinute {
  readonly minute: Micros;
  readonly revision: number;
  readonly w: number;
  k: number;
  kc: number;
}

export interface PhaseTally {
  readonly revision: number;
  /** The candidate's share. */
  readonly w: number;
  /** While servers warm up no event counts. */
  readonly isWarm: boolean;
  /** Units first seen in it, of those that were counted then. */
  candidateUnits: number;
  stableUnits: number;
  candidateRows: number;
  stableRows: number;
  readonly candidate: GroupTotals;
  readonly stable: GroupTotals;
}

export interface Arms {
  readonly candidate: number;
  readonly stable: number;
  readonly candidateName: string;
  readonly stableName: string;
}

export interface Tally {
  /** All rows of one minute, as `byMinute` has them; minutes in their order. */
  add(rows: readonly ArmMinute[]): void;
  /** One that goes on from here and leaves this one as it is. */
  fork(): Tally;
  readonly phases: readonly PhaseTally[];
  events(kind: EventKind): readonly EventMinute[];
  /** The part of all units that is counted of the kind by now: 1 where all are. It never grows. */
  share(of: Kind): number;
  /** The candidate's rows that its events of the kind are of; of `outcome` its outcomes. Of sampled minutes the part that was counted. */
  rowsOf(kind: EventKind): number;
  /** How many different units the candidate had under a revision; in all where none is given. */
  candidateUnits(revision?: number): number;
  /** How many different units the candidate has with an outcome that is true, or not 0. */
  candidateEventUnits(): number;
  breakerOpens(): number;
  /** Outcomes that servers were told of units: they are counted at no arm, as the log alone knows whose they are. */
  outcomesOfUnits(): number;
}

/** Under which minutes have what was told of units. */
export const NO_REVISION = 0;

const HASHES = 2 ** 32;
/** Past so many hashes of a kind only half are counted from then on. */
const MOST_HASHES = 200_000;

export function createTally(arms: Arms, phases: readonly Phase[]): Tally {
  const tallies = phases.map(({ revision, weight, warm: left }) => ({
    revision,
    w: weight / 100,
    isWarm: left !== null,
    candidateUnits: 0,
    stableUnits: 0,
    candidateRows: 0,
    stableRows: 0,
    candidate: createGroupTotals(),
    stable: createGroupTotals(),
  }));
  const warm = new Map(EVENT_KINDS.map((kind) => [kind, warmOf(phases, kind)]));
  return goOn({
    arms,
    warm,
    tallies,
    bounds: { units: HASHES - 1, error: HASHES - 1, slow: HASHES - 1, null: HASHES - 1, outcome: HASHES - 1 },
    rows: { error: 0, slow: 0, null: 0, outcome: 0 },
    seen: newSeen(undefined),
    ofPhases: new Map(phases.map(({ revision }) => [revision, layerOver(undefined)])),
    minutes: new Map(),
    opens: 0,
    ofUnits: 0,
  });
}

interface Counted {
  readonly arms: Arms;
  /** Of units with an event in a warm-up: under which revision first. What was counted before stays. */
  readonly warm: ReadonlyMap<EventKind, ReadonlyMap<number, number>>;
  readonly tallies: PhaseTally[];
  /**
   * The greatest hash that is counted of each kind. A minute is counted once, by what holds then: to count all of them again
   * by each lower bound would be a new test each time, and more healthy rollouts stopped than one in twenty.
   */
  readonly bounds: Record<Kind, number>;
  readonly rows: Record<EventKind, number>;
  readonly seen: Readonly<Record<Kind | 'candidate' | 'candidateEvents', LayeredHashes>>;
  /** Units of the candidate by revision. */
  readonly ofPhases: ReadonlyMap<number, LayeredHashes>;
  /** By kind, revision and minute. */
  readonly minutes: Map<string, EventMinute & { readonly kind: EventKind }>;
  opens: number;
  ofUnits: number;
}

function warmOf(phases: readonly Phase[], kind: EventKind): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  if (kind === 'outcome') return found;
  for (const { revision, warm } of phases)
    for (const hash of warm?.[kind] ?? []) found.set(hash, Math.min(revision, found.get(hash) ?? Infinity));
  return found;
}

/** A row that counts. */
interface TakenRow {
  readonly row: ArmMinute;
  readonly phase: PhaseTally;
  readonly isCandidate: boolean;
  readonly samples: readonly (readonly [Kind, HashSample])[];
}

function goOn(state: Counted): Tally {
  const { tallies, bounds, rows, seen, ofPhases, minutes } = state;

  const lower = (kind: Kind, bound: number): void => {
    if (bound >= bounds[kind]) return;
    bounds[kind] = bound;
    seen[kind].cut(bound);
    if (kind === 'outcome') seen.candidateEvents.cut(bound);
    if (kind !== 'units') return;
    seen.candidate.cut(bound);
    for (const units of ofPhases.values()) units.cut(bound);
  };

  const estimate = (kind: Kind, size: number): number => Math.round((size * HASHES) / (bounds[kind] + 1));

  return {
    add(all) {
      for (const row of all) if (row.revision === NO_REVISION) state.ofUnits += outcomesOf(row);
      const taken = all.flatMap((row) => takenOf(state, row) ?? []);
      for (const { samples } of taken) for (const [kind, sample] of samples) lower(kind, sample.threshold());
      for (const one of taken) count(state, one);
      for (const kind of [...EVENT_KINDS, 'units'] as const)
        if (seen[kind].size() > MOST_HASHES) lower(kind, Math.floor(bounds[kind] / 2));
    },
    fork: () =>
      goOn({
        ...state,
        tallies: tallies.map((tally) => ({
          ...tally,
          candidate: copyGroups(tally.candidate),
          stable: copyGroups(tally.stable),
        })),
        bounds: { ...bounds },
        rows: { ...rows },
        seen: newSeen(seen),
        ofPhases: new Map([...ofPhases].map(([revision, units]) => [revision, layerOver(units)])),
        minutes: new Map([...minutes].map(([key, minute]) => [key, { ...minute }])),
      }),
    phases: tallies,
    events: (kind) =>
      [...minutes.values()]
        .filter((minute) => minute.kind === kind)
        .sort((one, other) => one.minute - other.minute || one.revision - other.revision),
    share: (of) => (bounds[of] + 1) / HASHES,
    rowsOf: (kind) => rows[kind],
    candidateUnits: (revision) =>
      estimate('units', (revision === undefined ? seen.candidate : ofPhases.get(revision))?.size() ?? 0),
    candidateEventUnits: () => estimate('outcome', seen.candidateEvents.size()),
    breakerOpens: () => state.opens,
    outcomesOfUnits: () => state.ofUnits,
  };
}

/** Undefined for a row of another arm, or of traffic that is not the rollout's. */
function takenOf({ arms, tallies }: Counted, row: ArmMinute): TakenRow | undefined {
  const phase = tallies.find(({ revision }) => revision === row.revision);
  const isOutcome = row.kind === 'outcome';
  // The candidate has stable's name once it is promoted; arms of experiments have names of their own.
  const isOwn = isOutcome || row.variant === arms.candidateName || row.variant === arms.stableName;
  const isCandidate = isOwn && row.version === arms.candidate;
  const isStable = isOwn && row.version === arms.stable;
  if (phase === undefined || !(isCandidate || isStable) || !(isOutcome || row.kind === 'arm')) return undefined;
  if (isOutcome && row.outcomes === null) return undefined;
  const events: readonly (readonly [EventKind, string])[] =
    row.outcomes !== null && isOutcome
      ? [['outcome', row.outcomes.eventUnits]]
      : [
          ['error', row.errorUnits],
          ['slow', row.slowUnits],
          ['null', row.nullUnits],
        ];
  const packed: readonly (readonly [Kind, string])[] = [
    ...(isOutcome ? [] : [['units', row.units] as const]),
    ...(phase.isWarm ? events : []),
  ];
  return { row, phase, isCandidate, samples: packed.map(([kind, of]) => [kind, unpackHashes(of)]) };
}

function count(state: Counted, { row, phase, isCandidate, samples }: TakenRow): void {
  const { bounds, rows, seen } = state;
  const counts = isCandidate ? 'candidate' : 'stable';
  if (row.kind === 'outcome' && row.outcomes !== null) addGrouped(phase[counts], row.outcomes);
  if (row.kind === 'arm') phase[`${counts}Rows`] += row.rows;
  if (isCandidate) {
    if (row.kind === 'arm') state.opens += row.breakerOpens;
    // Rows of units that aren't counted are no chance for an event to be counted.
    for (const kind of EVENT_KINDS) {
      const own = kind === 'outcome' ? outcomesOf(row) : row.kind === 'arm' ? row.rows : 0;
      rows[kind] += (own * (bounds[kind] + 1)) / HASHES;
    }
  }
  for (const [kind, sample] of samples) {
    const hashes = sample.hashes(bounds[kind]);
    for (let i = 0; i < hashes.length; i++) {
      const hash = hashes[i] as number;
      // No unit has it: such requests are in nobody's share.
      if (hash === 0) continue;
      if (kind !== 'units') {
        countEvent(state, kind, hash, row, phase.w, isCandidate);
        continue;
      }
      if (isCandidate) {
        seen.candidate.add(hash);
        state.ofPhases.get(row.revision)?.add(hash);
      }
      if (seen.units.add(hash)) phase[`${counts}Units`]++;
    }
  }
}

function countEvent(
  { warm, seen, minutes }: Counted,
  kind: EventKind,
  hash: number,
  { minute, revision }: ArmMinute,
  w: number,
  isCandidate: boolean,
): void {
  if (kind === 'outcome' && isCandidate) seen.candidateEvents.add(hash);
  if (revision >= (warm.get(kind)?.get(hash) ?? Infinity) || !seen[kind].add(hash)) return;
  const key = `${kind} ${revision} ${minute}`;
  let counted = minutes.get(key);
  if (counted === undefined) {
    counted = { kind, minute, revision, w, k: 0, kc: 0 };
    minutes.set(key, counted);
  }
  counted.k++;
  if (isCandidate) counted.kc++;
}

function outcomesOf({ kind, outcomes }: ArmMinute): number {
  return kind === 'outcome' && outcomes !== null ? outcomes.n.reduce((sum, n) => sum + n, 0) : 0;
}

/**
 * Minute by minute, the rows of each as weights changed; else by who wrote them, so that all agree. What a minute's rows
 * have in common decides which of their units are counted.
 */
export function byMinute<R extends ArmMinute>(rows: readonly R[]): R[][] {
  const sorted = rows.toSorted(
    (one, other) =>
      one.minute - other.minute ||
      one.revision - other.revision ||
      (one.writer < other.writer ? -1 : one.writer > other.writer ? 1 : 0) ||
      (one.variant < other.variant ? -1 : one.variant > other.variant ? 1 : 0) ||
      // Outcomes know their version alone.
      one.version - other.version,
  );
  const minutes: R[][] = [];
  for (const row of sorted) {
    const last = minutes.at(-1);
    if (last?.[0]?.minute === row.minute) last.push(row);
    else minutes.push([row]);
  }
  return minutes;
}

function newSeen(under: Counted['seen'] | undefined): Counted['seen'] {
  return {
    units: layerOver(under?.units),
    candidate: layerOver(under?.candidate),
    candidateEvents: layerOver(under?.candidateEvents),
    error: layerOver(under?.error),
    slow: layerOver(under?.slow),
    null: layerOver(under?.null),
    outcome: layerOver(under?.outcome),
  };
}
