// What a feature service lists and an on-demand view takes as input: features, and the request columns they need.

import type { Columns } from './column-type.ts';

declare const featuresOf: unique symbol;
declare const requestOf: unique symbol;

/** Features `F` by their own names, found through request columns `Q`. Types only; nothing is there at run time. */
export interface MemberShape<F extends Columns = Columns, Q extends Columns = Columns> {
  readonly [featuresOf]?: F;
  readonly [requestOf]?: Q;
}

export interface Member<F extends Columns = Columns, Q extends Columns = Columns> extends MemberShape<F, Q> {}

/** The features of a member. */
export type FeaturesOf<M> = M extends MemberShape<infer F, infer _> ? F : never;

/** The request columns of a member. */
export type RequestOf<M> = M extends MemberShape<infer _, infer Q> ? Q : never;
