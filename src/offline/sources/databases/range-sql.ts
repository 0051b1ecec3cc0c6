// Which rows a database is asked for: those whose event times a run can need, where a declared column holds them.

import { formatTimestamp, MICROS_PER_DAY, type Micros } from '../../../core/index.ts';
import type { SourceSpec } from '../../../definitions/index.ts';
import type { EventRange } from '../event-range.ts';
import type { DatabaseDriver } from './database.ts';
import type { AskedColumn } from './declared-columns.ts';

/** Ends that every database can say: one that lies outside is none. */
const SAYABLE: EventRange = { from: MICROS_PER_DAY, to: Date.UTC(9999, 0) * 1000 };

/**
 * What follows FROM: ` WHERE …`, or nothing. `columns` are the source's, in its order. Rows without an event time are asked
 * for, too. Of a time that is finer than micros what is cut off makes no difference.
 */
export function rangeSql(
  { columns, eventTime }: SourceSpec,
  asked: readonly AskedColumn[],
  { from, to }: EventRange,
  { quote }: Pick<DatabaseDriver, 'quote'>,
): string {
  // A derived time is no column of the database's.
  const column = asked[columns.findIndex(({ name }) => name === eventTime)]?.column;
  if (column === undefined) return '';
  const name = quote({ name: column.name, isQuoted: true });
  if (from === Infinity || from > to) return ` WHERE ${name} IS NULL`;
  const end = (sign: string, at: Micros): string[] => {
    const moment = at >= SAYABLE.from && at <= SAYABLE.to ? column.momentSql(utcText(at)) : undefined;
    return moment === undefined ? [] : [`${name} ${sign} ${moment}`];
  };
  const ends = [...end('>=', from), ...end('<', to + 1)];
  return ends.length === 0 ? '' : ` WHERE (${ends.join(' AND ')}) OR ${name} IS NULL`;
}

const utcText = (at: Micros): string => formatTimestamp(at).replace('T', ' ').replace('Z', '');
