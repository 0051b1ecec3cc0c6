// What a feature service lists and an on-demand view takes as input: features, and the request columns they need.

import type { Columns } from './column-type.ts';

declare const featuresOf: unique symbol;
declare const requestOf: unique symbol;
declare const prefixOf: unique symbol;

/**
 * Features `F` by their own names, found through request columns `Q`; `P` stands before `__` in their full names. Types only;
 * nothing is there at run time.
 */
export interface MemberShape<F extends Columns = Columns, Q extends Columns = Columns, P extends string = string> {
  readonly [featuresOf]?: F;
  readonly [requestOf]?: Q;
  readonly [prefixOf]?: P;
}

export interface Member<F extends Columns = Columns, Q extends Columns = Columns, P extends string = string>
  extends MemberShape<F, Q, P> {}

/** The features of a member. */
export type FeaturesOf<M> = M extends MemberShape<infer F, infer _> ? F : never;

/** The request columns of a member. */
export type RequestOf<M> = M extends MemberShape<infer _, infer Q> ? Q : never;

/** The features of a member by their full names. */
export type FullFeaturesOf<M> =
  M extends MemberShape<infer F, infer _, infer P>
    ? { readonly [Name in keyof F & string as `${P}__${Name}`]: F[Name] }
    : never;

/** What all members of a union have, together: a parameter's position turns `|` into `&`. */
export type AllOf<U> = (U extends unknown ? (one: U) => void : never) extends (one: infer All) => void ? All : never;
