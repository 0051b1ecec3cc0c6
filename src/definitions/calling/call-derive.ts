// Calls a source's derive functions: one row in, one value out, checked against the derived column's type.

import { type Field, HeadraceError, INVALID, messageOf, typeName, type Value } from '../../core/index.ts';
import type { DeriveSpec, UserFunction } from '../manifest.ts';
import { describeResult, fromUserOf, rowMaker, toUserOf } from './user-value.ts';

/**
 * A derive function ready to be called many times: takes values in the order of `columns`, gives the derived value.
 * The call throws HR_TRANSFORM_FAILED when the function throws or gives a value of another type.
 */
export function compileDerive(
  fn: UserFunction,
  columns: readonly Field[],
  spec: DeriveSpec,
): (values: readonly Value[]) => Value {
  const toRow = rowMaker(columns);
  const call = checkedCall(fn, spec);
  return (values) => call(toRow(values));
}

/**
 * As `compileDerive`, for columns that are costly to read: a row's values are asked for (by the column's index) when
 * the function looks at them. All calls share one row object, so the function must not keep it.
 */
export function compileLazyDerive(
  fn: UserFunction,
  columns: readonly Field[],
  spec: DeriveSpec,
): (read: (column: number) => Value) => Value {
  let readNow: (column: number) => Value = () => null;
  const row = {};
  columns.forEach(({ name, type }, index) => {
    const convert = toUserOf(type);
    const get = convert === undefined ? () => readNow(index) : () => convert(readNow(index));
    Object.defineProperty(row, name, { enumerable: true, get });
  });
  const call = checkedCall(fn, spec);
  return (read) => {
    readNow = read;
    return call(row);
  };
}

/** Told of each value of a derived column that could not be derived and is null. */
export type OnFailedValue = (column: string, error: unknown) => void;

/** What throws gives null, and `onFailed` hears of it; without that it is thrown. */
export function forgiving<Given>(
  call: (given: Given) => Value,
  { name }: DeriveSpec,
  onFailed: OnFailedValue | undefined,
): (given: Given) => Value {
  if (onFailed === undefined) return call;
  return (given) => {
    try {
      return call(given);
    } catch (error) {
      onFailed(name, error);
      return null;
    }
  };
}

function checkedCall(fn: UserFunction, spec: DeriveSpec): (row: Readonly<Record<string, unknown>>) => Value {
  const fromUser = fromUserOf(spec.type);
  const where = `derived column "${spec.name}"`;
  // The compile step knows that it is a function; its result is checked below.
  const call = fn as unknown as (row: Readonly<Record<string, unknown>>) => unknown;
  return (row) => {
    let result: unknown;
    try {
      result = call(row);
    } catch (cause) {
      throw new HeadraceError(
        'HR_TRANSFORM_FAILED',
        `${where}: its function threw: ${messageOf(cause)}. Make it handle such a row (every column can be null).`,
        { cause, where },
      );
    }
    const value = fromUser(result);
    if (value === INVALID) {
      throw new HeadraceError(
        'HR_TRANSFORM_FAILED',
        `${where}: expected ${typeName(spec.type)} or null, got ${describeResult(result)}. Change the function or the declared type.`,
        { where },
      );
    }
    return value;
  };
}
