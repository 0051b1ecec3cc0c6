// The declared columns of a source among those that a database has: by name, and in a type that they can be.

import { didYouMean, HeadraceError, typeName } from '../../../core/index.ts';
import { type SourceSpec, typeCall } from '../../../definitions/index.ts';
import type { FoundColumn, Wire } from './database.ts';

export interface AskedColumn {
  readonly column: FoundColumn;
  readonly wire: Wire;
}

/** In declared order. Throws HR_SOURCE_UNREADABLE naming the column. */
export function askedColumns({ name, columns }: SourceSpec, found: readonly FoundColumn[]): readonly AskedColumn[] {
  return columns.map((declared) => {
    const column = columnNamed(name, declared.name, found);
    const wire = column.wireAs(declared.type);
    if (wire !== undefined) return { column, wire };
    const instead =
      column.suggested === undefined
        ? 'Give it another type in a `query`'
        : `Declare it ${typeCall(column.suggested)}, or give it another type in a \`query\``;
    throw new HeadraceError(
      'HR_SOURCE_UNREADABLE',
      `source "${name}": column "${declared.name}" is ${column.type}, and was declared ${typeName(declared.type)}. ${instead}.`,
    );
  });
}

// As the database writes it, else the one that differs in case alone: a Snowflake of `user_id` has USER_ID.
function columnNamed(source: string, name: string, found: readonly FoundColumn[]): FoundColumn {
  const exact = found.filter((column) => column.name === name);
  const same = exact.length > 0 ? exact : found.filter((column) => column.name.toLowerCase() === name.toLowerCase());
  if (same.length === 1) return same[0] as FoundColumn;
  const names = found.map((column) => column.name);
  throw new HeadraceError(
    'HR_SOURCE_UNREADABLE',
    same.length > 1
      ? `source "${source}": its query gives ${same.length} columns "${name}". Name them apart with AS.`
      : `source "${source}" has no column "${name}".${didYouMean(name, names)} It has: ${names.join(', ')}.`,
  );
}
