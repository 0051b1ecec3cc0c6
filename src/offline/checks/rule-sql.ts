// Rules of single values as SQL: what src/checks says of a value, for a whole column at once.

import { type DataType, parseValue, type Value } from '../../core/index.ts';
import type { SourceSpec, ValueRule } from '../../definitions/index.ts';
import { quoteName } from '../../storage/index.ts';
import { literalSql } from '../sources/sql-text.ts';

/** True where the column's value breaks the rule, false elsewhere; never null. */
export function brokenSql(rule: ValueRule, type: DataType): string {
  const column = quoteName(rule.column);
  // The compile step wrote these as values of the type.
  const literal = (json: unknown): string => literalSql(type, parseValue(type, json) as Value);
  switch (rule.rule) {
    case 'notNull':
      return `(${column} IS NULL)`;
    case 'between': {
      const isFloat = type.kind === 'float32' || type.kind === 'float64';
      const ends = [
        // To DuckDB NaN is greater than all; here it lies in no range.
        ...(isFloat ? [`isnan(${column})`] : []),
        ...(rule.min === null ? [] : [`${column} < ${literal(rule.min)}`]),
        ...(rule.max === null ? [] : [`${column} > ${literal(rule.max)}`]),
      ];
      return `coalesce(${ends.join(' OR ')}, false)`;
    }
    case 'oneOf':
      return `coalesce(${column} NOT IN (${rule.values.map(literal).join(', ')}), false)`;
  }
}

/** Type of a source's column, declared or derived. The manifest was validated: it exists. */
export function typeOfColumn({ columns, derive }: SourceSpec, name: string): DataType {
  return ([...columns, ...derive].find((column) => column.name === name) as { readonly type: DataType }).type;
}
