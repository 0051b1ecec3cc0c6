// Feature views: features of an entity computed from one source, stored for serving, joined in time for training.

import type { Feature, Unwindowed } from './aggregation.ts';
import {
  ABOUT_OPTIONS,
  type AboutOptions,
  type AuthoredObject,
  type AuthoredView,
  type AuthoredViewMember,
} from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { ColumnOf, Columns, ColumnType, Kind, ValueOf } from './column-type.ts';
import type { Entity } from './entity.ts';
import type { ViewExpect } from './expect.ts';
import type { Member, MemberShape } from './member.ts';
import type { Source } from './source.ts';

/** A view: usable in services and on-demand views as it is, in another role (`as`), or in part (`pick`). */
export interface FeatureView<F extends Columns = Columns, K extends Columns = Columns, N extends string = string>
  extends AuthoredObject<AuthoredView>,
    MemberShape<F, K, N> {
  readonly name: N;
  /**
   * The view under a role, which prefixes its features' full names, with the request column of each entity key.
   * `airportDelays.as('origin', { airport: 'origin' })`
   */
  as<R extends string, const Keys extends { readonly [Name in keyof K]: string }>(
    role: R,
    keys: Keys,
  ): FeatureViewMember<F, RenamedKeys<K, Keys>, R>;
  as<R extends string>(role: R): FeatureViewMember<F, K, R>;
  /** The view with some of its features only. */
  pick<const Names extends readonly (keyof F & string)[]>(
    ...names: Names
  ): FeatureViewMember<Pick<F, Names[number]>, K, N>;
}

/** A view in a role, or in part. `Q` are the request columns that hold its keys, `P` what its features' full names begin with. */
export interface FeatureViewMember<F extends Columns = Columns, Q extends Columns = Columns, P extends string = string>
  extends AuthoredObject<AuthoredViewMember>,
    Member<F, Q, P> {
  /** Some of its features only. */
  pick<const Names extends readonly (keyof F & string)[]>(
    ...names: Names
  ): FeatureViewMember<Pick<F, Names[number]>, Q, P>;
}

type RenamedKeys<K, Keys extends { readonly [Name in keyof K]: string }> = {
  [Name in keyof K & keyof Keys as Keys[Name]]: AsColumn<K[Name]>;
};

export interface FeatureViewOptions<K extends Columns, C extends Columns, F> extends AboutOptions {
  readonly entity: Entity<K>;
  readonly source: Source<C>;
  /** Source column of each entity key; a key left out is found under its own name. */
  readonly keys?: { readonly [Name in keyof K]?: KeyColumn<C, K[Name]> };
  /** Bounds `latest`: an older row is not served. Left out: for ever. Windows are their own bound. */
  readonly ttl?: string;
  readonly features: { readonly [Name in keyof F]: CheckedFeature<C, F[Name]> };
  /** `live`: read as at now. `{ every, lag }`: refreshed by runs; training sets then hold the same staleness. */
  readonly freshness?: 'live' | FreshnessOptions;
  /** When a scheduler materializes it: five fields of cron, `0 3 * * *` for every day at 03:00. */
  readonly schedule?: string;
  /** IANA time zone of the schedule. Default UTC. */
  readonly timezone?: string;
  /** Whether it is materialized late where nobody was there at its last time. Default: `latest`. */
  readonly catchUp?: 'latest' | 'none';
  /** What it was called until now: it keeps what is stored under that name. */
  readonly renamedFrom?: string;
  /** What its features' values have to be like, and what is done where they are not. */
  readonly expect?: ViewExpect<NoInfer<FeatureTypes<C, F>>>;
}

interface FreshnessOptions {
  readonly every: string;
  readonly lag?: string;
}

export const FRESHNESS_OPTIONS: OptionNames<FreshnessOptions> = { every: true, lag: true };

const OPTIONS: OptionNames<FeatureViewOptions<Columns, Columns, unknown>> = {
  ...ABOUT_OPTIONS,
  entity: true,
  source: true,
  keys: true,
  ttl: true,
  features: true,
  freshness: true,
  schedule: true,
  timezone: true,
  catchUp: true,
  renamedFrom: true,
  expect: true,
};

type KeyColumn<C, T> =
  T extends ColumnType<infer _, infer K> ? (K extends Kind ? NoInfer<ColumnOf<C, K> & string> : never) : never;

type NumberKind = 'int32' | 'int64' | 'float32' | 'float64';
type OrderedKind = Exclude<Kind, 'list' | 'vector'>;

// A wrong feature becomes the type of a sentence, which the compiler then prints as what was expected.
type CheckedFeature<C, F> =
  F extends Feature<infer Op, infer Column, infer Default>
    ? CheckedColumn<C, Op, Column, CheckedDefault<Default, FeatureType<C, F>, F>>
    : F extends Unwindowed<infer Op, infer _>
      ? `${Op}(…) needs its window: ${Op}(…).over("7d")`
      : never;

type CheckedDefault<Default, T, F> = [Default] extends [never]
  ? F
  : T extends ColumnType<infer V, infer Own>
    ? Default extends V | AlsoTaken<V>
      ? F
      : `the default does not fit the feature, which is ${Own}`
    : F;

// What the compile step reads as such a value, besides the value itself.
type AlsoTaken<V> = V extends bigint
  ? number
  : V extends Date
    ? string
    : V extends Float32Array
      ? readonly number[]
      : never;

type CheckedColumn<C, Op extends string, Column, F> = Column extends null
  ? F
  : Column extends keyof C & string
    ? Op extends 'sum' | 'mean' | 'stddev' | 'variance'
      ? OfKind<C, Op, Column, NumberKind, 'a number column', F>
      : Op extends 'min' | 'max' | 'countDistinct'
        ? OfKind<C, Op, Column, OrderedKind, 'a column of single values', F>
        : F
    : `the source has no column "${Column & string}"; it has: ${keyof C & string}`;

type OfKind<C, Op extends string, Column extends keyof C & string, Allowed extends Kind, Wanted extends string, F> =
  C[Column] extends ColumnType<infer _, infer Own>
    ? Own extends Allowed
      ? F
      : `${Op}("${Column}") needs ${Wanted}, and "${Column}" is ${Own}`
    : never;

// Not an intersection: that would turn the value's type into any.
type AsColumn<T> = T extends Columns[string] ? T : never;

/** The types of the features' results. */
export type FeatureTypes<C, F> = { readonly [Name in keyof F]: FeatureType<C, F[Name]> };

type FeatureType<C, F> =
  F extends Feature<infer Op, infer Column, infer _>
    ? Op extends 'count' | 'countDistinct'
      ? ColumnType<bigint, 'int64'>
      : Op extends 'mean' | 'stddev' | 'variance'
        ? ColumnType<number, 'float64'>
        : Column extends keyof C
          ? Op extends 'sum'
            ? C[Column] extends ColumnType<infer _, 'int32' | 'int64'>
              ? ColumnType<bigint, 'int64'>
              : ColumnType<number, 'float64'>
            : Op extends 'lastN'
              ? ColumnType<ValueOf<C[Column]>[], 'list'>
              : AsColumn<C[Column]>
          : never
    : never;

/**
 * Declares a feature view.
 *
 * @example
 * featureView('airport_delays', {
 *   entity: airport, source: flights, keys: { airport: 'origin' }, ttl: '30d',
 *   features: { last_delay: latest('delay'), flights_1d: count().over('1d') },
 * });
 */
export function featureView<K extends Columns, C extends Columns, F, N extends string>(
  name: N,
  options: FeatureViewOptions<K, C, F>,
): FeatureView<FeatureTypes<C, F>, K, N> {
  const call = noteCall(options, OPTIONS);
  const { entity, source, keys, ttl, features, freshness, schedule, timezone, catchUp, renamedFrom, expect, ...about } =
    optionsOf(options);
  const written: AuthoredView = {
    kind: 'view',
    name,
    call,
    entity,
    source,
    keys: keys ?? {},
    ttl,
    // Checked by FeatureViewOptions; plain JavaScript is checked by the compile step.
    features: features as unknown as AuthoredView['features'],
    freshness: freshness ?? 'live',
    schedule,
    timezone,
    catchUp,
    renamedFrom,
    expect,
    about,
  };
  const view: AuthoredObject<AuthoredView> = { [AUTHORED]: written };
  return {
    name,
    ...view,
    as: (role: string, roleKeys?: Readonly<Record<string, string>>) => member(view, role, roleKeys, undefined),
    pick: (...names: readonly string[]) => member(view, undefined, undefined, names),
    // The methods work on names that their signatures have checked.
  } as unknown as FeatureView<FeatureTypes<C, F>, K, N>;
}

function member(
  view: AuthoredObject<AuthoredView>,
  role: string | undefined,
  keys: Readonly<Record<string, string>> | undefined,
  picked: readonly string[] | undefined,
): AuthoredObject<AuthoredViewMember> & { pick(...names: readonly string[]): unknown } {
  return {
    [AUTHORED]: { kind: 'viewMember', view, role, keys, picked },
    pick: (...names) => member(view, role, keys, names),
  };
}
