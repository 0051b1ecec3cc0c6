// What the minutes of a rollout add up to: units first seen by phase, and each unit's first event by minute, whichever arm and
// server it was at. Units are known by their hashes; where a sketch holds only the lowest, all are counted below that.

import type { Micros } from '../../core/index.ts';
import { unpackHashes } from '../../statistics/index.ts';
import type { ArmMinute, ArmOutcomes } from './arm-minute.ts';
import type { Phase } from './rollout.ts';

export type EventKind = 'error' | 'slow' | 'null' | 'outcome';
export const EVENT_KINDS: readonly EventKind[] = ['error', 'slow', 'null', 'outcome'];

/** First events of one minute under one revision; `w`: the candidate's share of the units. */
export interface EventMinute {
  readonly minute: Micros;
  readonly revision: number;
  readonly w: number;
  k: number;
  kc: number;
}

export interface ArmSums {
  readonly n: Float64Array;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
}

export interface PhaseTally {
  readonly revision: number;
  /** The candidate's share. */
  readonly w: number;
  /** While servers warm up no event counts. */
  readonly isWarm: boolean;
  /** Units first seen in it, of those below the threshold. */
  candidateUnits: number;
  stableUnits: number;
  candidateRows: number;
  stableRows: number;
  readonly candidate: ArmSums;
  readonly stable: ArmSums;
}

export interface Arms {
  readonly candidate: number;
  readonly stable: number;
  readonly candidateName: string;
  readonly stableName: string;
}

export interface Tally {
  /** In the order of the minutes. */
  add(row: ArmMinute): void;
  /** One that goes on from here and leaves this one as it is. */
  fork(): Tally;
  readonly phases: readonly PhaseTally[];
  events(kind: EventKind): readonly EventMinute[];
  /** The part of all hashes that is counted of the kind: 1 where all are. */
  share(of: EventKind | 'units'): number;
  /** How many different units the candidate had under a revision; in all where none is given. */
  candidateUnits(revision?: number): number;
  breakerOpens(): number;
  /** Hashes that are held. */
  size(): number;
  /** Whether a row held fewer than the thresholds say: all has to be counted again by lower ones. */
  lowered(): Thresholds | undefined;
}

/** The greatest hash that is counted, by what is counted. */
export type Thresholds = Readonly<Record<EventKind | 'units', number>>;

const HASHES = 2 ** 32;
export const ALL_HASHES: Thresholds = {
  units: HASHES - 1,
  error: HASHES - 1,
  slow: HASHES - 1,
  null: HASHES - 1,
  outcome: HASHES - 1,
};
const GROUPS = 64;

export function createTally(arms: Arms, phases: readonly Phase[], thresholds: Thresholds = ALL_HASHES): Tally {
  const tallies = phases.map(({ revision, weight, warm: left }) => ({
    revision,
    w: weight / 100,
    isWarm: left !== null,
    candidateUnits: 0,
    stableUnits: 0,
    candidateRows: 0,
    stableRows: 0,
    candidate: emptySums(),
    stable: emptySums(),
  }));
  const warm = new Map(
    EVENT_KINDS.map((kind) => [
      kind,
      new Set(phases.flatMap(({ warm: of }) => (kind === 'outcome' ? [] : (of?.[kind] ?? [])))),
    ]),
  );
  const ofPhases = new Map(phases.map(({ revision }) => [revision, layer(undefined)]));
  return goOn({ arms, thresholds, warm, tallies, seen: newSeen(undefined), ofPhases, minutes: new Map(), opens: 0 });
}

interface Counted {
  readonly arms: Arms;
  readonly thresholds: Thresholds;
  readonly warm: ReadonlyMap<EventKind, ReadonlySet<number>>;
  readonly tallies: PhaseTally[];
  readonly seen: Readonly<Record<EventKind | 'units' | 'candidate', Layered>>;
  /** Units of the candidate by revision. */
  readonly ofPhases: ReadonlyMap<number, Layered>;
  /** By kind, revision and minute. */
  readonly minutes: Map<string, EventMinute & { readonly kind: EventKind }>;
  opens: number;
}

function goOn(state: Counted): Tally {
  const { arms, thresholds, warm, tallies, seen, ofPhases, minutes } = state;
  let lowered: Record<EventKind | 'units', number> | undefined;

  /** Ascending, of those that count. */
  const hashesOf = (packed: string, of: EventKind | 'units'): ArrayLike<number> => {
    const sample = unpackHashes(packed);
    if (sample.threshold() < thresholds[of]) {
      lowered ??= { ...thresholds };
      lowered[of] = Math.min(lowered[of], sample.threshold());
    }
    return sample.hashes(thresholds[of]);
  };

  const addEvents = (
    row: ArmMinute,
    kind: EventKind,
    packed: string,
    phase: PhaseTally,
    isCandidate: boolean,
  ): void => {
    if (!phase.isWarm) return;
    const hashes = hashesOf(packed, kind);
    for (let i = 0; i < hashes.length; i++) {
      const hash = hashes[i] as number;
      // No unit has it: such requests are in nobody's share.
      if (hash === 0 || warm.get(kind)?.has(hash) === true || !seen[kind].add(hash)) continue;
      const key = `${kind} ${row.revision} ${row.minute}`;
      let minute = minutes.get(key);
      if (minute === undefined) {
        minute = { kind, minute: row.minute, revision: row.revision, w: phase.w, k: 0, kc: 0 };
        minutes.set(key, minute);
      }
      minute.k++;
      if (isCandidate) minute.kc++;
    }
  };

  return {
    add(row) {
      const phase = tallies.find(({ revision }) => revision === row.revision);
      const isOutcome = row.kind === 'outcome';
      // The candidate has stable's name once it is promoted; arms of experiments have names of their own.
      const isOwn = isOutcome || row.variant === arms.candidateName || row.variant === arms.stableName;
      const isCandidate = isOwn && row.version === arms.candidate;
      const isStable = isOwn && row.version === arms.stable;
      if (phase === undefined || !(isCandidate || isStable)) return;
      if (isOutcome) {
        if (row.outcomes === null) return;
        addSums(isCandidate ? phase.candidate : phase.stable, row.outcomes);
        addEvents(row, 'outcome', row.outcomes.eventUnits, phase, isCandidate);
        return;
      }
      if (row.kind !== 'arm') return;
      if (isCandidate) {
        phase.candidateRows += row.rows;
        state.opens += row.breakerOpens;
      } else {
        phase.stableRows += row.rows;
      }
      const units = hashesOf(row.units, 'units');
      for (let i = 0; i < units.length; i++) {
        const hash = units[i] as number;
        if (hash === 0) continue;
        if (isCandidate) {
          seen.candidate.add(hash);
          ofPhases.get(row.revision)?.add(hash);
        }
        if (!seen.units.add(hash)) continue;
        if (isCandidate) phase.candidateUnits++;
        else phase.stableUnits++;
      }
      addEvents(row, 'error', row.errorUnits, phase, isCandidate);
      addEvents(row, 'slow', row.slowUnits, phase, isCandidate);
      addEvents(row, 'null', row.nullUnits, phase, isCandidate);
    },
    fork: () =>
      goOn({
        ...state,
        tallies: tallies.map((tally) => ({
          ...tally,
          candidate: copySums(tally.candidate),
          stable: copySums(tally.stable),
        })),
        seen: newSeen(seen),
        ofPhases: new Map([...ofPhases].map(([revision, units]) => [revision, layer(units)])),
        minutes: new Map([...minutes].map(([key, minute]) => [key, { ...minute }])),
      }),
    phases: tallies,
    events: (kind) =>
      [...minutes.values()]
        .filter((minute) => minute.kind === kind)
        .sort((one, other) => one.minute - other.minute || one.revision - other.revision),
    share: (of) => (thresholds[of] + 1) / HASHES,
    candidateUnits(revision) {
      const units = revision === undefined ? seen.candidate : ofPhases.get(revision);
      return Math.round(((units?.size() ?? 0) * HASHES) / (thresholds.units + 1));
    },
    breakerOpens: () => state.opens,
    size: () => Math.max(...Object.values(seen).map((set) => set.size())),
    lowered: () => lowered,
  };
}

/** In the order in which they are added: by minute, then as weights changed; else by who wrote them, so that all agree. */
export function inOrder<R extends ArmMinute>(rows: readonly R[]): R[] {
  return rows.toSorted(
    (one, other) =>
      one.minute - other.minute ||
      one.revision - other.revision ||
      (one.writer < other.writer ? -1 : one.writer > other.writer ? 1 : 0) ||
      (one.variant < other.variant ? -1 : one.variant > other.variant ? 1 : 0),
  );
}

export function emptySums(): ArmSums {
  return { n: new Float64Array(GROUPS), sum: new Float64Array(GROUPS), squares: new Float64Array(GROUPS) };
}

export function addSums(sums: ArmSums, { n, sum, squares }: Omit<ArmOutcomes, 'eventUnits'>): void {
  for (let g = 0; g < GROUPS; g++) {
    sums.n[g] = (sums.n[g] as number) + (n[g] ?? 0);
    sums.sum[g] = (sums.sum[g] as number) + (sum[g] ?? 0);
    sums.squares[g] = (sums.squares[g] as number) + (squares[g] ?? 0);
  }
}

function copySums({ n, sum, squares }: ArmSums): ArmSums {
  return { n: n.slice(), sum: sum.slice(), squares: squares.slice() };
}

/** A set over another one, which stays as it is. */
interface Layered {
  has(hash: number): boolean;
  /** Whether it was new. */
  add(hash: number): boolean;
  size(): number;
}

function layer(under: Layered | undefined): Layered {
  const own = new Set<number>();
  const has = (hash: number): boolean => own.has(hash) || under?.has(hash) === true;
  return {
    has,
    add(hash) {
      if (has(hash)) return false;
      own.add(hash);
      return true;
    },
    size: () => own.size + (under?.size() ?? 0),
  };
}

function newSeen(under: Counted['seen'] | undefined): Counted['seen'] {
  return {
    units: layer(under?.units),
    candidate: layer(under?.candidate),
    error: layer(under?.error),
    slow: layer(under?.slow),
    null: layer(under?.null),
    outcome: layer(under?.outcome),
  };
}
