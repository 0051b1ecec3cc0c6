// Feature services: the features one model takes, in order. Models and endpoints, which serve them.

import {
  ABOUT_OPTIONS,
  type AboutOptions,
  type AuthoredEndpoint,
  type AuthoredModel,
  type AuthoredObject,
  type AuthoredOnDemandMember,
  type AuthoredOnDemandView,
  type AuthoredService,
  type AuthoredView,
  type AuthoredViewMember,
} from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { Columns, Flat } from './column-type.ts';
import type { GraphNode } from './graph-node.ts';
import type { AllOf, FullFeaturesOf, MemberShape, RequestOf } from './member.ts';
import type { RequestCondition } from './request-condition.ts';

declare const requestColumn: unique symbol;
declare const serviceShape: unique symbol;
declare const modelShape: unique symbol;

/** What a service is asked with and answers, by name. Types only. */
export interface ServiceShape<N extends string = string, Q = Columns, F = Columns> {
  readonly name: N;
  readonly request: Q;
  readonly features: F;
}

/** What an endpoint is asked with and answers. Types only. */
export interface EndpointShape<N extends string = string, S = ServiceShape, O = Columns> {
  readonly name: N;
  readonly service: S;
  readonly outputs: O;
}

/** Something a service can list. */
export type ServiceInput = AuthoredObject<
  AuthoredView | AuthoredViewMember | AuthoredOnDemandView | AuthoredOnDemandMember
> &
  MemberShape;

/** A list of features. `Q` names the columns that a request must carry; `S` is its ServiceShape. */
export interface FeatureService<Q extends string = string, S = unknown> extends AuthoredObject<AuthoredService> {
  readonly name: string;
  readonly [requestColumn]?: Q;
  readonly [serviceShape]?: S;
}

/**
 * Declares a feature service: views, views in roles, picked features, on-demand views. A feature's full name is
 * `<view or role>__<feature>`.
 */
export function featureService<const M extends readonly ServiceInput[], N extends string>(
  name: N,
  members: M,
  about: AboutOptions = {},
): FeatureService<keyof UnionToColumns<M[number]> & string, ServiceShape<N, RequestOfAll<M>, FeaturesOfAll<M>>> {
  const call = noteCall(about, ABOUT_OPTIONS, [2]);
  return { name, [AUTHORED]: { kind: 'service', name, call, members, about: optionsOf(about) } };
}

type RequestOfAll<M extends readonly unknown[]> = Flat<AllOf<RequestOf<M[number]>>>;
type FeaturesOfAll<M extends readonly unknown[]> = Flat<AllOf<FullFeaturesOf<M[number]>>>;

// Names of all members' request columns, as keys.
type UnionToColumns<M> = { readonly [Name in M extends unknown ? keyof RequestOf<M> : never]: unknown };

/** A model: the service it takes and the outputs it gives. Its versions are registered from ONNX files. */
export interface Model<Q extends string = string, S = unknown, O = unknown> extends AuthoredObject<AuthoredModel> {
  readonly name: string;
  readonly [requestColumn]?: Q;
  readonly [serviceShape]?: S;
  readonly [modelShape]?: O;
}

export interface ModelOptions<Q extends string, S = unknown, O extends Columns = Columns> extends AboutOptions {
  readonly features: FeatureService<Q, S>;
  /** Named outputs; a classifier's probability is `{ probability: t.float32() }`. */
  readonly outputs: O;
  /**
   * The node that answers, of a model that is made of others: its outputs are the model's. Versions of such a model pin a
   * version of each model in it: `headrace models register NAME --graph`.
   */
  readonly graph?: GraphNode<O>;
  /**
   * ONNX execution providers in order: `['cuda', 'cpu']` runs on the first NVIDIA GPU and lets the CPU compute sizes. A server
   * that lacks one, or sees nodes run elsewhere, does not load the model; its `models.providers` may say others. Default:
   * `['cpu']`.
   */
  readonly providers?: readonly string[];
  /**
   * Whether rows of different callers may run as one batch: `true` where no row's answer depends on the rows beside it, `false`
   * where it does. Left out, runs at the registration and at each load decide, and what they do not show runs alone. A model that
   * is made of others takes none: its nodes' models have their own.
   */
  readonly batch?: boolean;
}

const MODEL_OPTIONS: OptionNames<ModelOptions<string>> = {
  ...ABOUT_OPTIONS,
  features: true,
  outputs: true,
  graph: true,
  providers: true,
  batch: true,
};

export function model<Q extends string, S, O extends Columns>(
  name: string,
  options: ModelOptions<Q, S, O>,
): Model<Q, S, O> {
  const call = noteCall(options, MODEL_OPTIONS);
  const { features, outputs, graph, providers, batch, ...about } = optionsOf(options);
  return {
    name,
    [AUTHORED]: { kind: 'model', name, call, features, outputs, graph, providers: providers ?? ['cpu'], batch, about },
  };
}

/** An address that serves a model; its traffic is split between versions. `E` is its EndpointShape. */
export interface Endpoint<Q extends string = string, E = unknown> extends AuthoredObject<AuthoredEndpoint> {
  readonly name: string;
  readonly [requestColumn]?: Q;
  readonly [modelShape]?: E;
}

export interface EndpointOptions<Q extends string, S = unknown, O = unknown> extends AboutOptions {
  readonly model: Model<Q, S, O>;
  /** Request columns whose values stick to one variant. Default: none, and each request is assigned by its id. */
  readonly unit?: readonly NoInfer<Q>[];
  /** Asked in order, before all else: the first whose condition holds gives its variant, whatever the unit. */
  readonly rules?: readonly { readonly when: RequestCondition<NoInfer<Q>>; readonly variant: string }[];
  /**
   * A percentage of units that no experiment and no rollout touches: they get the base. Endpoints that name one holdout keep the
   * same units.
   */
  readonly holdout?: { readonly name: string; readonly percent: number };
  /** What a prediction does while the online store is down. Default: `fail`. */
  readonly whenStoreDown?: 'fail' | 'defaults';
  /**
   * Keeps what the model answers, in each worker's memory, and answers rows with the same model input from there: features are
   * read as ever, only the model does not run. Default: nothing is kept. No model that is made of others can have it.
   */
  readonly cache?: CacheOptions;
}

/** What is kept of the answers of an endpoint's models; the bounds are of each worker. */
export interface CacheOptions {
  /** How long an answer is kept, such as `'10s'`. */
  readonly ttl: string;
  /** Past it those leave first that were not asked for longest. Default: 16 MiB. */
  readonly maxBytes?: number;
  /** Default: 100,000. */
  readonly maxEntries?: number;
}

const ENDPOINT_OPTIONS: OptionNames<EndpointOptions<string>> = {
  ...ABOUT_OPTIONS,
  model: true,
  unit: true,
  rules: true,
  holdout: true,
  whenStoreDown: true,
  cache: true,
};

export function endpoint<Q extends string, S, O, N extends string>(
  name: N,
  options: EndpointOptions<Q, S, O>,
): Endpoint<Q, EndpointShape<N, S, O>> {
  const call = noteCall(options, ENDPOINT_OPTIONS);
  const { model: served, unit, rules, holdout, whenStoreDown, cache, ...about } = optionsOf(options);
  return {
    name,
    [AUTHORED]: {
      kind: 'endpoint',
      name,
      call,
      model: served,
      unit: unit ?? [],
      rules,
      holdout,
      whenStoreDown: whenStoreDown ?? 'fail',
      cache,
      about,
    },
  };
}
