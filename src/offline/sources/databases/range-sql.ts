// Which rows a database is asked for: those whose event times a run can need, where a declared column holds them.

import type { Micros } from '../../../core/index.ts';
import type { SourceSpec } from '../../../definitions/index.ts';
import { type EventRange, isEmptyRange, momentText } from '../event-range.ts';
import type { DatabaseDriver } from './database.ts';
import type { AskedColumn } from './declared-columns.ts';

/**
 * What follows FROM: ` WHERE …`, or nothing. `columns` are the source's, in its order. Rows without an event time are asked
 * for, too. Of a time that is finer than micros what is cut off makes no difference.
 */
export function rangeSql(
  { columns, eventTime }: SourceSpec,
  asked: readonly AskedColumn[],
  range: EventRange,
  { quote }: Pick<DatabaseDriver, 'quote'>,
): string {
  // A derived time is no column of the database's.
  const column = asked[columns.findIndex(({ name }) => name === eventTime)]?.column;
  if (column === undefined) return '';
  const name = quote({ name: column.name, isQuoted: true });
  if (isEmptyRange(range)) return ` WHERE ${name} IS NULL`;
  const end = (sign: string, at: Micros): string[] => {
    const text = momentText(at);
    const moment = text === undefined ? undefined : column.momentSql(text);
    return moment === undefined ? [] : [`${name} ${sign} ${moment}`];
  };
  const ends = [...end('>=', range.from), ...end('<', range.to + 1)];
  return ends.length === 0 ? '' : ` WHERE (${ends.join(' AND ')}) OR ${name} IS NULL`;
}
