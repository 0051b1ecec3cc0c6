// What an absent value of a request stands for: its column's default, else null.

import type { Field, Value } from './data-type.ts';
import { defaultOf } from './default-of.ts';

/**
 * Gives a column's default, a new one each time where values can be changed; undefined where there is none. Throws
 * HR_DEFINITION when it is none of the field's type.
 */
export function absentValueOf(field: Field): (() => Value) | undefined {
  if (field.default === undefined) return undefined;
  const value = defaultOf(field);
  // Users' functions get it: one that changes what it got must not change the next one's.
  return typeof value === 'object' ? () => defaultOf(field) : () => value;
}
