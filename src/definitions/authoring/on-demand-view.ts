// On-demand views: features computed at request time, by one TypeScript function that also runs offline.

import {
  ABOUT_OPTIONS,
  type AboutOptions,
  type AuthoredObject,
  type AuthoredOnDemandMember,
  type AuthoredOnDemandView,
} from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { Columns, Flat, RowOf } from './column-type.ts';
import type { FeatureView, FeatureViewMember } from './feature-view.ts';
import type { AllOf, FeaturesOf, MemberShape, RequestOf } from './member.ts';
import type { UserFunction } from '../manifest.ts';

/** A view whose features a function computes from the request and other views. */
export interface OnDemandView<F extends Columns = Columns, Q extends Columns = Columns, N extends string = string>
  extends AuthoredObject<AuthoredOnDemandView>,
    MemberShape<F, Q, N> {
  readonly name: N;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly features: F;
  /** The view under another prefix. */
  as<R extends string>(role: R): OnDemandMember<F, Q, R>;
  /** The view with some of its features only. */
  pick<const Names extends readonly (keyof F & string)[]>(
    ...names: Names
  ): OnDemandMember<Pick<F, Names[number]>, Q, N>;
}

/** An on-demand view under another prefix, or in part. */
export interface OnDemandMember<F extends Columns = Columns, Q extends Columns = Columns, P extends string = string>
  extends AuthoredObject<AuthoredOnDemandMember>,
    MemberShape<F, Q, P> {
  pick<const Names extends readonly (keyof F & string)[]>(
    ...names: Names
  ): OnDemandMember<Pick<F, Names[number]>, Q, P>;
}

/** Columns of the request, a stored view, an on-demand view, or a function that gives one declared further down. */
export type OnDemandInputs = Readonly<Record<string, Columns | AnyView | (() => AnyView)>>;

// Every view is assignable to the widest one: their type parameters appear only in optional members.
type AnyView = AnyMember<AuthoredView_>;
type AuthoredView_ = FeatureView | FeatureViewMember | OnDemandView | OnDemandMember;
type AnyMember<M> = M extends AuthoredObject<infer D> ? AuthoredObject<D> & MemberShape : never;

/** What `transform` gets: a row for each input, every value possibly null. */
export type InputValues<I> = { readonly [Name in keyof I]: RowOf<InputColumns<I[Name]>> };

type InputColumns<I> = I extends () => infer M ? FeaturesOf<M> : I extends AuthoredObject ? FeaturesOf<I> : I;

type UnionOf<I> = { [Name in keyof I]: InputRequest<I[Name]> }[keyof I];
type InputRequest<I> = I extends () => infer M ? RequestOf<M> : I extends AuthoredObject ? RequestOf<I> : I;
type RequestColumns<I> = AllOf<UnionOf<I>> extends infer Q extends Columns ? Flat<Q> : Columns;

// Not never, nor a sentence: those would make the whole result never, and the message would blame every feature.
type Undeclared<R, F> = { readonly [Name in Exclude<keyof R, keyof F>]: NotDeclaredInFeatures<Name> };

/** Marks, in the compiler's message, a feature that the transform returns and `features` does not declare. */
interface NotDeclaredInFeatures<Name> {
  readonly notDeclared: Name;
}

export interface OnDemandViewOptions<I, F extends Columns, R> extends AboutOptions {
  readonly inputs: I;
  readonly features: F;
  /** Pure, synchronous, one row at a time: the same function runs in training sets and at serving time. */
  readonly transform: (inputs: InputValues<I>) => R & Undeclared<R, NoInfer<F>>;
  /** What it was called until now. */
  readonly renamedFrom?: string;
}

const OPTIONS: OptionNames<OnDemandViewOptions<unknown, Columns, unknown>> = {
  ...ABOUT_OPTIONS,
  inputs: true,
  features: true,
  transform: true,
  renamedFrom: true,
};

/**
 * Declares an on-demand view.
 *
 * @example
 * onDemandView('departure', {
 *   inputs: { request: { scheduled_at: t.timestamp() } },
 *   features: { hour: t.int32() },
 *   transform: ({ request }) => ({ hour: request.scheduled_at?.getUTCHours() ?? null }),
 * });
 */
export function onDemandView<I extends OnDemandInputs, F extends Columns, R extends RowOf<F>, N extends string>(
  name: N,
  options: OnDemandViewOptions<I, F, R>,
): OnDemandView<F, RequestColumns<I>, N> {
  const call = noteCall(options, OPTIONS);
  const { inputs, features, transform, renamedFrom, ...about } = optionsOf(options);
  // Its arguments and results are checked where it is called.
  const written: AuthoredOnDemandView = {
    kind: 'onDemandView',
    name,
    call,
    inputs,
    features,
    transform: transform as UserFunction,
    renamedFrom,
    about,
  };
  const view: AuthoredObject<AuthoredOnDemandView> = { [AUTHORED]: written };
  return {
    name,
    inputs,
    features,
    ...view,
    as: (role: string) => member(view, role, undefined),
    pick: (...names: readonly string[]) => member(view, undefined, names),
    // The methods work on names that their signatures have checked.
  } as unknown as OnDemandView<F, RequestColumns<I>, N>;
}

function member(
  view: AuthoredObject<AuthoredOnDemandView>,
  role: string | undefined,
  picked: readonly string[] | undefined,
): AuthoredObject<AuthoredOnDemandMember> & { pick(...names: readonly string[]): unknown } {
  return {
    [AUTHORED]: { kind: 'onDemandMember', view, role, picked },
    pick: (...names) => member(view, role, names),
  };
}
