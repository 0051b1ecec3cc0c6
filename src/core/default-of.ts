// What a field's declared default is as a value: one reading of it, wherever a default stands in.

import type { Field, Value } from './data-type.ts';
import { typeName } from './data-type.ts';
import { HeadraceError } from './headrace-error.ts';
import { INVALID, parseValue } from './value.ts';

/** The declared default as a value; null without one. Throws HR_DEFINITION when it is none of the field's type. */
export function defaultOf(field: Field): Value {
  if (field.default === undefined) return null;
  const value = parseValue(field.type, field.default);
  if (value === INVALID)
    throw new HeadraceError('HR_DEFINITION', `the default of "${field.name}" is no ${typeName(field.type)}`);
  return value;
}
