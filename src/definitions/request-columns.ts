// The columns that a request carries: what keys and on-demand views ask for, each once, and whether a row may lack it.

import { canonicalJson, type Field } from '../core/index.ts';

/** An entity's key as the request column that it comes in. */
export function keyColumn(column: string, { type, default: absent, isOptional }: Field): Field {
  return {
    name: column,
    type,
    ...(absent === undefined ? {} : { default: absent }),
    ...(isOptional === undefined ? {} : { isOptional }),
  };
}

/**
 * One column that two ask for, of one type. A row may lack it where both say so: with one default, or as null. Definitions
 * whose defaults differ are refused when they are compiled; those that were kept from before need it.
 */
export function bothColumns(one: Field, other: Field): Field {
  const { name, type } = one;
  if (one.default !== undefined && sameDefault(one, other)) return { name, type, default: one.default };
  return one.isOptional === true && other.isOptional === true ? { name, type, isOptional: true } : { name, type };
}

export function sameDefault(one: Field, other: Field): boolean {
  return canonicalJson([one.default]) === canonicalJson([other.default]);
}

/** Whether a row of a request may leave the column out, or have null in it. */
export function mayLack(column: Field): boolean {
  return column.isOptional === true || column.default !== undefined;
}
