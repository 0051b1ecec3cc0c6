// The row that a key's `latest` features come from: the greatest by (event, known, created order, place, content).

import type { ViewCodec } from '../../online/index.ts';
import { quoteName } from '../../storage/index.ts';
import { columnType, isDeletedSql, streamed, tieOrder } from './fact-sql.ts';
import { orderColumns } from './row-order.ts';

/** Columns of a winner's row: event, known, deleted, its order's, the view's latest columns. */
export function winnerColumns({ source, latestColumns }: ViewCodec): string[] {
  return [
    'CAST(__hr_event AS DOUBLE)',
    'CAST(__hr_known AS DOUBLE)',
    isDeletedSql(source),
    ...orderColumns(source),
    ...latestColumns.map((name) => streamed(quoteName(name), columnType(source, name))),
  ];
}

/** To follow a SELECT over facts: leaves one row a key. */
export function winnersOnly({ source }: ViewCodec, key: readonly string[]): string {
  const order = ['__hr_event DESC', '__hr_known DESC', ...tieOrder(source, 'DESC NULLS LAST')];
  return `QUALIFY row_number() OVER (PARTITION BY ${key.join(', ')} ORDER BY ${order.join(', ')}) = 1`;
}
