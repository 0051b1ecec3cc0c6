// What an absent value of a request stands for: its column's default, else null.

import { type Field, typeName, type Value } from './data-type.ts';
import { HeadraceError } from './headrace-error.ts';
import { INVALID, parseValue } from './value.ts';

/** Gives a column's default, a new one each time where values can be changed; undefined where there is none. */
export function absentValueOf({ name, type, default: written }: Field): (() => Value) | undefined {
  if (written === undefined) return undefined;
  const make = (): Value => {
    const value = parseValue(type, written);
    if (value === INVALID) throw new HeadraceError('HR_DEFINITION', `the default of "${name}" is no ${typeName(type)}`);
    return value;
  };
  const value = make();
  // Users' functions get it: one that changes what it got must not change the next one's.
  return typeof value === 'object' ? make : () => value;
}
