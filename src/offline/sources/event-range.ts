// Which rows of a source a run can need, by their event time: what lies wholly outside need not be read.

import { formatTimestamp, MICROS_PER_DAY, type Micros } from '../../core/index.ts';

/** Both ends belong to it. Rows without an event time are asked for, too, wherever they can be told from the others. */
export interface EventRange {
  readonly from: Micros;
  readonly to: Micros;
}

export const ALL_EVENTS: EventRange = { from: -Infinity, to: Infinity };

export const overlaps = (a: EventRange, b: EventRange): boolean => a.from <= b.to && b.from <= a.to;

export const NO_EVENTS: EventRange = { from: Infinity, to: -Infinity };

/** A range whose rows nobody needs: one of a spine without a time. Its start may be −Infinity, where no ttl says another. */
export const isEmptyRange = ({ from, to }: EventRange): boolean => from === Infinity || to === -Infinity || from > to;

/** Moments that every engine can say. */
const SAYABLE: EventRange = { from: MICROS_PER_DAY, to: Date.UTC(9999, 0) * 1000 };

/** `2024-01-31 23:59:59.123456` in UTC, as SQL writes it; undefined where not every engine can say it: such an end is none. */
export function momentText(at: Micros): string | undefined {
  const isSayable = at >= SAYABLE.from && at <= SAYABLE.to;
  return isSayable ? formatTimestamp(at).replace('T', ' ').replace('Z', '') : undefined;
}
