// Which rows of a source a run can need, by their event time: what lies wholly outside need not be read.

import type { Micros } from '../../core/index.ts';

/** Both ends belong to it. Rows without an event time are asked for, too, wherever they can be told from the others. */
export interface EventRange {
  readonly from: Micros;
  readonly to: Micros;
}

export const ALL_EVENTS: EventRange = { from: -Infinity, to: Infinity };

export const overlaps = (a: EventRange, b: EventRange): boolean => a.from <= b.to && b.from <= a.to;
