// A unit's first event in a rollout, once: over minutes, servers, arms and revisions. Servers tell the units that are new to
// them, all or those of the lowest hashes; what is counted here are units whose hashes no row could have left out, so that the
// counts of several arms are of one sample of units.

import type { Micros } from '../../core/index.ts';
import { type PackedHashes, unpackHashes } from '../../statistics/index.ts';
import { byPlace, type Writable } from './merge-minutes.ts';
import type { UnitKind } from './minute-cell.ts';
import type { MinuteRow } from './minute-row.ts';

/** First events of one minute under one revision. */
export interface UnitCounts {
  readonly minute: Micros;
  readonly revision: number;
  /** Those that have any. Outcomes have no variant. */
  readonly arms: readonly { readonly variant: string; readonly version: number; readonly count: number }[];
  /** The share of units that were counted: 1 while each row was exact. It never grows. */
  readonly share: number;
}

export interface FirstUnits {
  /** Counts minutes for good; they come after those that were counted before. */
  settle(rows: readonly MinuteRow[]): readonly UnitCounts[];
  /** The same for minutes that may still change: nothing of it stays. */
  peek(rows: readonly MinuteRow[]): readonly UnitCounts[];
}

/** Of all rows of a rollout, in whatever order. */
export function firstEvents(rows: readonly MinuteRow[], kind: UnitKind): readonly UnitCounts[] {
  return createFirstUnits(kind).settle(rows);
}

const HASHES = 2 ** 32;

/** `kind`: `units` for those that were met at all. What `outcomes` has is of rows of outcomes. */
export function createFirstUnits(kind: UnitKind): FirstUnits {
  const seen = new Set<number>();
  let bound = HASHES - 1;

  const count = (rows: readonly MinuteRow[], counted: (hash: number) => boolean, settled: boolean): UnitCounts[] => {
    const minutes = new Map<Micros, TakenRow[]>();
    for (const row of rows) {
      const packed = packedOf(row, kind);
      if (packed === undefined) continue;
      const sample = unpackHashes(packed);
      const taken = { row, hashes: sample.hashes(), threshold: sample.threshold() };
      const ofMinute = minutes.get(row.minute);
      if (ofMinute === undefined) minutes.set(row.minute, [taken]);
      else ofMinute.push(taken);
    }
    const found: UnitCounts[] = [];
    let least = bound;
    for (const minute of [...minutes.keys()].sort((a, b) => a - b)) {
      const taken = (minutes.get(minute) as TakenRow[]).toSorted((a, b) => byPlace(a.row, b.row));
      for (const { threshold } of taken) least = Math.min(least, threshold);
      found.push(...countMinute(taken, least, counted));
    }
    if (settled) bound = least;
    return found;
  };

  return {
    settle: (rows) =>
      count(
        rows,
        (hash) => {
          if (seen.has(hash)) return false;
          seen.add(hash);
          return true;
        },
        true,
      ),
    peek(rows) {
      const peeked = new Set<number>();
      return count(
        rows,
        (hash) => {
          if (seen.has(hash) || peeked.has(hash)) return false;
          peeked.add(hash);
          return true;
        },
        false,
      );
    },
  };
}

interface TakenRow {
  readonly row: MinuteRow;
  readonly hashes: Uint32Array;
  readonly threshold: number;
}

function packedOf(row: MinuteRow, kind: UnitKind): PackedHashes | undefined {
  return kind === 'eventUnits' ? row.outcomes?.eventUnits : row.kind === 'arm' ? row[kind] : undefined;
}

/** `taken`: of one minute, in their order. */
function countMinute(
  taken: readonly TakenRow[],
  least: number,
  isFirst: (hash: number) => boolean,
): readonly UnitCounts[] {
  const found: (Omit<UnitCounts, 'arms'> & { readonly arms: Writable<UnitCounts['arms'][number]>[] })[] = [];
  for (const { row, hashes } of taken) {
    const { minute, revision, variant, version } = row;
    let count = 0;
    for (const hash of hashes) {
      if (hash > least) break;
      if (isFirst(hash)) count++;
    }
    if (count === 0) continue;
    let entry = found.at(-1);
    if (entry?.revision !== revision) {
      entry = { minute, revision, arms: [], share: (least + 1) / HASHES };
      found.push(entry);
    }
    const arm = entry.arms.at(-1);
    if (arm?.variant === variant && arm.version === version) arm.count += count;
    else entry.arms.push({ variant, version, count });
  }
  return found;
}
