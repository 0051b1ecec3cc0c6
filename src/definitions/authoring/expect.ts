// `expect`: what a source's rows, or a view's features, have to be like, and what is done about those that are not.

import type { OptionNames } from './call.ts';
import type { ColumnOf, Columns, Kind, ValueOf } from './column-type.ts';

/**
 * `warn` (the default): counted and told. `quarantine`: the row is set apart, counts in no feature, and can be put back.
 * `fail`: nothing of what it came with is taken or written.
 */
export type OnFail = 'warn' | 'quarantine' | 'fail';

type RangedKind = 'int32' | 'int64' | 'float32' | 'float64' | 'timestamp';
type ListedKind = RangedKind | 'bool' | 'string';

/** What is written for a value: a small whole number for an int64 too, a timestamp as text too. */
type Written<V> = V extends bigint ? bigint | number : V extends Date ? Date | string : V;

/** Rules of single values; null breaks none of them but `notNull`. */
export interface ValueRules<C extends Columns> {
  /** These are never null. */
  readonly notNull?: readonly (keyof C & string)[];
  /** From the one to the other, both included; null leaves that end open. NaN lies in no range. */
  readonly between?: {
    readonly [Name in ColumnOf<C, RangedKind> & keyof C]?: readonly [
      Written<ValueOf<C[Name]>> | null,
      Written<ValueOf<C[Name]>> | null,
    ];
  };
  /** One of these values. */
  readonly oneOf?: { readonly [Name in ColumnOf<C, ListedKind> & keyof C]?: readonly Written<ValueOf<C[Name]>>[] };
}

/** Rules of all rows together; a push, which is a few of them, is not held to these. */
export interface TableRules {
  /** The newest event is no older than this, as of when it is looked at: '2h'. */
  readonly fresh?: string;
  /** How many there are: a source's rows, a view's keys. */
  readonly rowCount?: { readonly min?: number; readonly max?: number };
}

export interface SourceExpectations<C extends Columns> extends ValueRules<C>, TableRules {
  /** No two rows have the same value there; of several columns in a list of their own, the same values. Null equals nothing. */
  readonly unique?: readonly ((keyof C & string) | readonly (keyof C & string)[])[];
  readonly onFail?: OnFail;
}

/** A view has one row a key, which is unique by itself; and its values are computed, so there is none to set apart. */
export interface ViewExpectations<F extends Columns> extends ValueRules<F>, TableRules {
  readonly onFail?: Exclude<OnFail, 'quarantine'>;
}

/** One block, or several, each with what is done about it. */
export type SourceExpect<C extends Columns> = SourceExpectations<C> | readonly SourceExpectations<C>[];
export type ViewExpect<F extends Columns> = ViewExpectations<F> | readonly ViewExpectations<F>[];

export const EXPECT_OPTIONS: OptionNames<SourceExpectations<Columns>> = {
  notNull: true,
  between: true,
  oneOf: true,
  unique: true,
  fresh: true,
  rowCount: true,
  onFail: true,
};

export const ROW_COUNT_OPTIONS: OptionNames<NonNullable<TableRules['rowCount']>> = { min: true, max: true };

export const RANGED_KINDS: readonly Kind[] = [
  'int32',
  'int64',
  'float32',
  'float64',
  'timestamp',
] satisfies RangedKind[];
export const LISTED_KINDS: readonly Kind[] = [...RANGED_KINDS, 'bool', 'string'];
