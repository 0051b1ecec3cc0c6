// What a server has counted of one series in one minute. Counting allocates nothing but for units that are new, and for what
// sums of outcomes lose by rounding; packing is left
// to whoever writes.

import type { Micros } from '../../core/index.ts';
import {
  addToGroup,
  createGroupTotals,
  createHashSample,
  type GroupTotals,
  type HashSample,
  packGroups,
  packHashes,
  type PackedHashes,
} from '../../statistics/index.ts';
import { clearSketch, createSketch, type LatencySketch, packSketch } from '../monitor/latency-sketch.ts';
import { noCounts, type Writable } from './minute-counts.ts';
import { type MinuteCounts, type MinuteOutcomes, type MinuteRow, type SeriesId } from './minute-row.ts';

/** Kinds of a unit's first events, and its first row. */
export const UNIT_KINDS = ['units', 'errorUnits', 'slowUnits', 'nullUnits', 'eventUnits'] as const;
export type UnitKind = (typeof UNIT_KINDS)[number];

export interface MinuteCell extends Writable<MinuteCounts> {
  minute: Micros;
  /** Grows where the clock was set back: what was written of a minute is never written over. */
  turn: number;
  /** Whether something was counted since it was packed last. */
  isDirty: boolean;
  slowMicros: number | null;
  readonly latency: LatencySketch;
  /** By kind; undefined while there is none. */
  readonly units: Record<UnitKind, HashSample | undefined>;
  outcomes: GroupTotals | undefined;
}

export function createMinuteCell(): MinuteCell {
  return {
    minute: -Infinity,
    turn: 0,
    isDirty: false,
    ...noCounts(),
    slowMicros: null,
    latency: createSketch(),
    units: {
      units: undefined,
      errorUnits: undefined,
      slowUnits: undefined,
      nullUnits: undefined,
      eventUnits: undefined,
    },
    outcomes: undefined,
  };
}

export function clearMinuteCell(cell: MinuteCell, minute: Micros, turn: number): void {
  cell.minute = minute;
  cell.turn = turn;
  cell.isDirty = false;
  cell.requests = cell.rows = cell.errors = cell.refused = cell.rejected = 0;
  cell.slow = cell.nulls = cell.breakerOpens = 0;
  cell.slowMicros = null;
  clearSketch(cell.latency);
  for (const kind of UNIT_KINDS) cell.units[kind] = undefined;
  cell.outcomes = undefined;
}

export function addUnit(cell: MinuteCell, kind: UnitKind, hash: number): void {
  (cell.units[kind] ??= createHashSample()).add(hash);
}

/** `times` is −1 for one that counts no more. */
export function addOutcome(cell: MinuteCell, unitHash: number, value: number, times: 1 | -1): void {
  addToGroup((cell.outcomes ??= createGroupTotals()), unitHash, value, times);
}

/** The row as it is now, but for who writes it and when. */
export type PackedMinute = Omit<MinuteRow, 'writer' | 'sequence' | 'reportedMicros'> & { readonly turn: number };

export function packMinute(id: SeriesId, cell: MinuteCell): PackedMinute {
  const { units } = cell;
  return {
    ...id,
    minute: cell.minute,
    turn: cell.turn,
    requests: cell.requests,
    rows: cell.rows,
    errors: cell.errors,
    refused: cell.refused,
    rejected: cell.rejected,
    slow: cell.slow,
    nulls: cell.nulls,
    breakerOpens: cell.breakerOpens,
    slowMicros: cell.slowMicros,
    latency: packSketch(cell.latency),
    units: packed(units.units),
    errorUnits: packed(units.errorUnits),
    slowUnits: packed(units.slowUnits),
    nullUnits: packed(units.nullUnits),
    outcomes: cell.outcomes === undefined ? null : packOutcomes(cell.outcomes, packed(units.eventUnits)),
  };
}

const NO_HASHES = packHashes(createHashSample());

function packed(sample: HashSample | undefined): PackedHashes {
  return sample === undefined ? NO_HASHES : packHashes(sample);
}

function packOutcomes(outcomes: GroupTotals, eventUnits: PackedHashes): MinuteOutcomes {
  return { ...packGroups(outcomes), eventUnits };
}
