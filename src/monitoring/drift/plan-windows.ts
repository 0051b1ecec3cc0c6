// Which windows an arm's log is held against the training data in: each hour or day with enough in it, and of those with less,
// as many together as it takes.

import type { Micros } from '../../core/index.ts';

/** What one hour or day holds. */
export interface Slot {
  readonly from: Micros;
  readonly rows: number;
  /** Different units in it. */
  readonly units: number;
  /** Those units, where they are fewer than a window takes. */
  readonly unitKeys: readonly string[] | null;
}

export interface Window {
  readonly from: Micros;
  readonly to: Micros;
  readonly rows: number;
}

export interface PlannedWindows {
  readonly windows: readonly Window[];
  /** What waits to be enough, with later ones; null where nothing does. */
  readonly waiting: Window | null;
}

/** Units, or rows where there are no units, that a window takes at least. */
export const LEAST_UNITS = 300;
/** Slots are joined over so long a time at most: what is still too little then is left out. */
const LONGEST_MICROS = 31 * 86_400_000_000;

/** `slots` with rows, in their order, all of them over; each is `size` long. */
export function planWindows(slots: readonly Slot[], size: Micros): PlannedWindows {
  const windows: Window[] = [];
  let open: { from: Micros; to: Micros; rows: number; keys: Set<string> } | undefined;
  for (const { from, rows, units, unitKeys } of slots) {
    if (open !== undefined && from - open.from >= LONGEST_MICROS) open = undefined;
    open ??= { from, to: from, rows: 0, keys: new Set() };
    open.to = from + size;
    open.rows += rows;
    for (const key of unitKeys ?? []) open.keys.add(key);
    if (units >= LEAST_UNITS || open.keys.size >= LEAST_UNITS) {
      windows.push({ from: open.from, to: open.to, rows: open.rows });
      open = undefined;
    }
  }
  return { windows, waiting: open === undefined ? null : { from: open.from, to: open.to, rows: open.rows } };
}
