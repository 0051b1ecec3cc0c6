// Rows of one list of columns as rows of another, as the log gives them when it is read by other columns than those they
// were pushed with.

import { type Field, type Row, sameType, type Value } from '../core/index.ts';
import { converterOf } from './records/convert-value.ts';

/** By name: a column that the row lacks is null, one of another type is converted as `converterOf` says. */
export function compileConversion(from: readonly Field[], to: readonly Field[]): (row: Row) => Row {
  const stored = new Map(from.map(({ name, type }) => [name, type]));
  const columns = to.map(({ name, type }) => {
    const own = stored.get(name);
    if (own === undefined) return { name, valueOf: () => null };
    if (sameType(own, type)) return { name, valueOf: (value: Value) => value };
    return { name, valueOf: converterOf(own, type) };
  });
  return (row) => Object.fromEntries(columns.map(({ name, valueOf }) => [name, valueOf(row[name] ?? null)]));
}
