// What stands after FROM for a source's table or query.

import { HeadraceError } from '../../../core/index.ts';
import { type SourceSpec, tableParts } from '../../../definitions/index.ts';
import type { DatabaseDriver } from './database.ts';

/** Throws HR_SOURCE_UNREADABLE for a table's name that is none. */
export function fromOf(
  { name, location }: Pick<SourceSpec, 'name' | 'location'>,
  driver: Pick<DatabaseDriver, 'quote'>,
): string {
  const { table, query } = location;
  if (query !== undefined) return `(${query.replace(/[\s;]+$/, '')}\n) AS hr_rows`;
  const parts = tableParts(table ?? '');
  if (parts !== undefined) return parts.map((part) => driver.quote(part)).join('.');
  throw new HeadraceError(
    'HR_SOURCE_UNREADABLE',
    `source "${name}": "${table}" is no name of a table. Write TABLE or SCHEMA.TABLE, and put a part that holds a dot in double quotes.`,
  );
}
