// Which rows of a table of a lake are landed: those whose event times a run can need; and how a record says which those were.

import type { Micros } from '../../../core/index.ts';
import type { SourceSpec } from '../../../definitions/index.ts';
import { quoteName } from '../../../storage/index.ts';
import { ALL_EVENTS, type EventRange, isEmptyRange, momentText, NO_EVENTS } from '../event-range.ts';
import type { TableSnapshot } from '../pinned-snapshot.ts';

/**
 * `` or ` WHERE …` of each query that together give the rows of the range, and those without an event time. Not one query with
 * OR: DuckDB leaves files of a table out by what is asked of all rows alone. `types`: DuckDB's, of the table's columns by
 * lower-case name.
 */
export function wheresOf(source: SourceSpec, types: ReadonlyMap<string, string>, range: EventRange): readonly string[] {
  const { columns, eventTime } = source;
  const literal = LITERALS[types.get(eventTime.toLowerCase()) ?? ''];
  // A derived time is no column of the table's.
  if (literal === undefined || !columns.some(({ name }) => name === eventTime)) return [''];
  const name = quoteName(eventTime);
  const isNull = ` WHERE ${name} IS NULL`;
  if (isEmptyRange(range)) return [isNull];
  const end = (sign: string, at: Micros): string[] => {
    const text = momentText(at);
    return text === undefined ? [] : [`${name} ${sign} ${literal(text)}`];
  };
  const ends = [...end('>=', range.from), ...end('<', range.to + 1)];
  return ends.length === 0 ? [''] : [` WHERE ${ends.join(' AND ')}`, isNull];
}

/** By the column's type: another's values aren't compared before they are cast. */
const LITERALS: Readonly<Record<string, (text: string) => string>> = {
  TIMESTAMP: (text) => `TIMESTAMP '${text}'`,
  DATE: (text) => `TIMESTAMP '${text}'`,
  'TIMESTAMP WITH TIME ZONE': (text) => `TIMESTAMPTZ '${text}+00'`,
};

/** For a record, whose JSON knows no Infinity. */
export function eventsIn({ from, to }: EventRange): Pick<TableSnapshot, 'events'> {
  const micros = (at: Micros): Micros | null => (Number.isFinite(at) ? at : null);
  if (isEmptyRange({ from, to })) return { events: { fromMicros: 0, toMicros: -1 } };
  const events = { fromMicros: micros(from), toMicros: micros(to) };
  return events.fromMicros === null && events.toMicros === null ? {} : { events };
}

export function recordedRange(events: TableSnapshot['events']): EventRange {
  const range = { from: events?.fromMicros ?? ALL_EVENTS.from, to: events?.toMicros ?? ALL_EVENTS.to };
  return isEmptyRange(range) ? NO_EVENTS : range;
}
