// Between which event times a file's rows lie, as far as that is known without another look at them.

import { contentHash } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { EventRange } from './event-range.ts';
import type { Footer } from './parquet/footer.ts';
import { SLACK_MICROS } from './parquet/read-footers.ts';

/** Rows lie between these at least; undefined where they have to be looked at. */
export function knownTimes(source: SourceSpec, footer: Footer | undefined): EventRange | undefined {
  const range = isDerived(source) ? undefined : footer?.ranges.get(source.eventTime.toLowerCase());
  // A footer's ends may be rounded outwards.
  if (range !== undefined) return { from: range.from + SLACK_MICROS, to: range.to - SLACK_MICROS };
  return footer?.times?.get(timeOrigin(source));
}

/** Of the definitions of a source that a file was read by, so many are kept. */
const MOST_ORIGINS = 3;

/** The same footer, with what a reading of the rows found. */
export function withTimes(source: SourceSpec, footer: Footer, found: EventRange): Footer {
  const origin = timeOrigin(source);
  const others = [...(footer.times ?? [])].filter(([other]) => other !== origin);
  return { ...footer, times: new Map([...others, [origin, found] as const].slice(-MOST_ORIGINS)) };
}

/** Of a source, what its event times are made of: all that is read to find them. */
export function timesAlone(source: SourceSpec): SourceSpec {
  const { createdOrder: _, tombstone: _tombstone, expect: _expect, ...rest } = source;
  const columns = isDerived(source) ? source.columns : source.columns.filter(({ name }) => name === source.eventTime);
  const derive = isDerived(source) ? source.derive : [];
  return { ...rest, columns, derive, knownTime: { kind: 'after', micros: 0 } };
}

const isDerived = ({ derive, eventTime }: SourceSpec): boolean => derive.some(({ name }) => name === eventTime);

/** Names what gives rows their event times: a column, or a derivation of what it may read. */
function timeOrigin(source: SourceSpec): string {
  const { columns, derive, eventTime } = source;
  return isDerived(source) ? `${eventTime}@${contentHash([columns, derive]).slice(0, 16)}` : eventTime;
}
