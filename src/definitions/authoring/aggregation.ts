// What a stored feature computes: the newest row's value, or an aggregation over a window that ends now.

import type { AuthoredFeature } from './authored.ts';
import { findSlips, type OptionNames, optionsOf } from './call.ts';
import type { WindowOp } from '../manifest.ts';

/** A feature of a view, ready to be listed: an aggregation of a column, with its window where it has one. */
export interface Feature<
  Op extends 'latest' | WindowOp = 'latest' | WindowOp,
  Column extends string | null = string | null,
  Default = unknown,
> extends AuthoredFeature {
  readonly op: Op;
  readonly column: Column;
  readonly isComplete: true;
  readonly defaultValue?: Default;
  /** Stands in for null where a model cannot take one. It changes no stored value. */
  default<V>(value: V): Feature<Op, Column, V>;
  /** Says what the feature means, for people. */
  describe(text: string): Feature<Op, Column, Default>;
  /** What it was called until now: it is still the same feature, and its stored values stay. */
  renamedFrom(name: string): Feature<Op, Column, Default>;
}

interface WindowOptions {
  readonly hop?: string;
}

const WINDOW_OPTIONS: OptionNames<WindowOptions> = { hop: true };

/** An aggregation that still lacks its window: call `.over('7d')`. */
export interface Unwindowed<Op extends WindowOp = WindowOp, Column extends string | null = string | null>
  extends AuthoredFeature {
  readonly op: Op;
  readonly column: Column;
  readonly isComplete: false;
  /**
   * Over the rows of the last `window`; the head is exact, the tail is aligned to `hop`.
   * Default hop: 5 minutes for windows up to 12 hours, 1 hour up to 12 days, else 1 day.
   */
  over(window: string, options?: WindowOptions): Feature<Op, Column, never>;
}

function feature<Op extends 'latest' | WindowOp, Column extends string | null>(
  written: AuthoredFeature & { readonly op: Op; readonly column: Column },
): Feature<Op, Column, never> {
  const complete = {
    ...written,
    isComplete: true,
    default: (value: unknown) => feature({ ...written, defaultValue: value }),
    describe: (text: string) => feature({ ...written, describedAs: text }),
    renamedFrom: (name: string) => feature({ ...written, formerName: name }),
  };
  // The type of a default is known to the compiler only.
  return complete as unknown as Feature<Op, Column, never>;
}

function windowed<Op extends WindowOp, Column extends string | null>(
  op: Op,
  column: Column,
  n?: number,
): Unwindowed<Op, Column> {
  const written = { op, column, ...(n === undefined ? {} : { n }) };
  return {
    ...written,
    isComplete: false,
    over: (window, options = {}) => {
      const slips = findSlips(options, WINDOW_OPTIONS, [{ method: 'over' }, 1], 'over(…)');
      const { hop } = optionsOf(options);
      return feature({ ...written, window, ...(hop === undefined ? {} : { hop }), slips });
    },
  };
}

/** The newest row's value, null included. All `latest` features of a view come from one row. Bounded by the view's ttl. */
export const latest = <const Column extends string>(column: Column): Feature<'latest', Column, never> =>
  feature({ op: 'latest', column });

/** Rows, or with a column its values that aren't null. An int64; 0 over an empty window. */
export function count(): Unwindowed<'count', null>;
export function count<const Column extends string>(column: Column): Unwindowed<'count', Column>;
export function count(column: string | null = null): Unwindowed<'count'> {
  return windowed('count', column);
}

/** Sum of a number column: int64 and exact for whole numbers, float64 else; null over an empty window. */
export const sum = <const Column extends string>(column: Column): Unwindowed<'sum', Column> => windowed('sum', column);
/** Mean, a float64. */
export const mean = <const Column extends string>(column: Column): Unwindowed<'mean', Column> =>
  windowed('mean', column);
/** Least value, of the column's type. */
export const min = <const Column extends string>(column: Column): Unwindowed<'min', Column> => windowed('min', column);
/** Greatest value, of the column's type. */
export const max = <const Column extends string>(column: Column): Unwindowed<'max', Column> => windowed('max', column);
/** Standard deviation of the sample (n − 1), a float64; null below two values. */
export const stddev = <const Column extends string>(column: Column): Unwindowed<'stddev', Column> =>
  windowed('stddev', column);
/** Variance of the sample (n − 1), a float64; null below two values. */
export const variance = <const Column extends string>(column: Column): Unwindowed<'variance', Column> =>
  windowed('variance', column);
/** The oldest value in the window that isn't null. */
export const first = <const Column extends string>(column: Column): Unwindowed<'first', Column> =>
  windowed('first', column);
/** The newest value in the window that isn't null. */
export const last = <const Column extends string>(column: Column): Unwindowed<'last', Column> =>
  windowed('last', column);
/** The newest `n` values that aren't null, oldest of them first: a list. */
export const lastN = <const Column extends string>(column: Column, n: number): Unwindowed<'lastN', Column> =>
  windowed('lastN', column, n);
/** How many different values: an int64. */
export const countDistinct = <const Column extends string>(column: Column): Unwindowed<'countDistinct', Column> =>
  windowed('countDistinct', column);
