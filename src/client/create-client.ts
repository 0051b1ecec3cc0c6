// The client: each method is one route of the native API. By fetch alone, so it runs in Node, Deno, Bun and browsers.

import type { Api, NameIn } from './api.ts';
import type {
  EndpointState,
  FailedRow,
  FeatureColumnsOf,
  FeatureRowOf,
  Flag,
  FlagContext,
  Health,
  Outcome,
  PredictionOf,
  PredictRow,
  PushResult,
  PushRow,
  ReadRow,
} from './answers.ts';
import { type Ask, createAsk } from './ask.ts';
import type { AnswerForm, Int64Form } from './column-values.ts';
import { askFlag, askFlags } from './flags.ts';
import type { ApiOptions, CallOptions, ClientOptions, PredictOptions, PushOptions } from './options.ts';
import { predictions } from './predictions.ts';
import { featureReads } from './feature-reads.ts';
import type { ApiOf } from './repository-api.ts';
import { askEndpoint, askHealth } from './states.ts';
import { pushRows, tellOutcomes } from './writes.ts';

/** Asks one server, or the balancer before several. It holds no connection of its own and needs no closing. */
export interface Client<A extends Api = Api, F extends AnswerForm = 'json'> {
  /** One prediction for a row. */
  predict<E extends NameIn<A['endpoints']>, const O extends PredictOptions = PredictOptions>(
    endpoint: E,
    row: PredictRow<A, E>,
    options?: O,
  ): Promise<PredictionOf<A, E, F, O>>;
  /** One prediction for each row, in their order; one wrong row and nothing is done. */
  predictMany<E extends NameIn<A['endpoints']>, const O extends PredictOptions = PredictOptions>(
    endpoint: E,
    rows: readonly PredictRow<A, E>[],
    options?: O,
  ): Promise<PredictionOf<A, E, F, O>[]>;
  /** The same where each row stands alone: one that fails leaves its error in its place. */
  predictPartial<E extends NameIn<A['endpoints']>, const O extends PredictOptions = PredictOptions>(
    endpoint: E,
    rows: readonly PredictRow<A, E>[],
    options?: O,
  ): Promise<(PredictionOf<A, E, F, O> | FailedRow)[]>;
  /** Features of a service for a row. */
  readFeatures<S extends NameIn<A['services']>>(
    service: S,
    row: ReadRow<A, S>,
    options?: CallOptions,
  ): Promise<FeatureRowOf<A, S, F>>;
  /** Features for each row, in their order. */
  readMany<S extends NameIn<A['services']>>(
    service: S,
    rows: readonly ReadRow<A, S>[],
    options?: CallOptions,
  ): Promise<FeatureRowOf<A, S, F>[]>;
  /** The same by column, an array of all rows' values for each feature: for many rows a fifth of the bytes. */
  readColumns<S extends NameIn<A['services']>>(
    service: S,
    rows: readonly ReadRow<A, S>[],
    options?: CallOptions,
  ): Promise<FeatureColumnsOf<A, S, F>>;
  /** Events into a source; resolves once they are durable and reads see them. Sent again, they count once. */
  push<S extends NameIn<A['sources']>>(
    source: S,
    rows: readonly PushRow<A, S>[],
    options?: PushOptions,
  ): Promise<PushResult>;
  /** What became of predictions; resolves with how many were taken, once they are on disk. Told again they change nothing. */
  tellOutcomes(endpoint: NameIn<A['endpoints']>, outcomes: readonly Outcome[], options?: CallOptions): Promise<number>;
  /** Which variant of an endpoint, or arm of an experiment, somebody is in, without a prediction. */
  flag(name: string, context: FlagContext, options?: CallOptions): Promise<Flag>;
  /** All of them; those that can't be told of this context are left out. */
  flags(context: FlagContext, options?: CallOptions): Promise<Flag[]>;
  /** What an endpoint serves, and to how many. */
  endpoint(name: NameIn<A['endpoints']>, options?: CallOptions): Promise<EndpointState>;
  /** Whether the server is ready; one that says no is an answer, not an error. */
  health(options?: CallOptions): Promise<Health>;
}

/**
 * A client of a server, typed and turned by what `headrace types` wrote: int64 of answers are bigints, bytes are Uint8Array,
 * vectors Float32Array.
 */
export function createClient<const A extends Api, const I extends Int64Form = 'bigint'>(
  options: ClientOptions & ApiOptions<I> & { readonly api: A },
): Client<A, I>;
/**
 * A client of a server. `T` is the type of the definitions' module, `typeof import('./feature_repo/shop.ts')`, or of an API. Values
 * of answers are as JSON has them: int64 are text with all digits, bytes base64, NaN and the infinities text.
 */
export function createClient<T = Api>(options: ClientOptions): Client<ApiOf<T>>;
export function createClient(
  options: ClientOptions & ApiOptions<Int64Form> & { readonly api?: Api },
): Client<Api, AnswerForm> {
  const ask = createAsk(options);
  return clientOf(ask, options.api, options.int64 ?? 'bigint');
}

/** A client whose questions go to `ask`. */
export function clientOf(ask: Ask, api: Api | undefined, int64: Int64Form): Client<Api, AnswerForm> {
  const { predict, predictMany, predictPartial } = predictions(ask, api, int64);
  const { readFeatures, readMany, readColumns } = featureReads(ask, api, int64);
  const client: Record<keyof Client, unknown> = {
    predict,
    predictMany,
    predictPartial,
    readFeatures,
    readMany,
    readColumns,
    push: pushRows(ask),
    tellOutcomes: tellOutcomes(ask),
    flag: askFlag(ask),
    flags: askFlags(ask),
    endpoint: askEndpoint(ask),
    health: askHealth(ask),
  };
  // Each method's types are those of its route; which names and columns there are is the compiler's knowledge alone.
  return client as unknown as Client<Api, AnswerForm>;
}
