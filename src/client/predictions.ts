// Predictions: rows to what the route takes, and its answer to what callers have.

import type { Api } from './api.ts';
import type { FailedRow, FeatureStatus, Prediction } from './answers.ts';
import type { Ask } from './ask.ts';
import { arrayIn, INT64_AS_TEXT, objectIn, unexpected } from './answer-parts.ts';
import type { Int64Form } from './column-values.ts';
import { type DecodeValues, decoderOf } from './decode-values.ts';
import { encodeRow } from './encode-row.ts';
import type { PredictOptions } from './options.ts';

type Values = Readonly<Record<string, unknown>>;
type AnyPrediction = Prediction<Values> & {
  readonly features?: Values;
  readonly statuses?: Readonly<Record<string, FeatureStatus>>;
};

interface Predictions {
  predict(endpoint: string, row: object, options?: PredictOptions): Promise<unknown>;
  predictMany(endpoint: string, rows: readonly object[], options?: PredictOptions): Promise<unknown>;
  predictPartial(endpoint: string, rows: readonly object[], options?: PredictOptions): Promise<unknown>;
}

export function predictions(ask: Ask, api: Api | undefined, int64: Int64Form): Predictions {
  const decoders = new Map<string, { readonly outputs: DecodeValues; readonly features: DecodeValues }>();
  const decodersOf = (endpoint: string) => {
    const known = decoders.get(endpoint);
    if (known !== undefined) return known;
    const columns = own(api?.endpoints, endpoint);
    const made = { outputs: decoderOf(columns?.outputs, int64), features: decoderOf(columns?.features, int64) };
    // Names that no column is known of are the caller's, and without bound.
    if (columns !== undefined) decoders.set(endpoint, made);
    return made;
  };
  const send = async (
    endpoint: string,
    rows: readonly object[],
    options: PredictOptions,
    isPartial: boolean,
  ): Promise<(AnyPrediction | FailedRow)[]> => {
    const inputs = rows.map((row, at) => encodeRow(row, `inputs[${at}]`));
    const asked = {
      ...(options.features === true && { return_features: true }),
      ...(isPartial && { partial: true }),
    };
    const body = { inputs, ...(Object.keys(asked).length > 0 && { options: asked }) };
    const answer = await ask(
      {
        method: 'POST',
        path: `/v1/endpoints/${encodeURIComponent(endpoint)}/predict`,
        body,
        headers: { ...INT64_AS_TEXT, 'x-headrace-variant': options.variant },
        isRepeatable: options.mayRepeat === true,
      },
      options,
    );
    const decode = decodersOf(endpoint);
    return arrayIn(answer.body, 'predictions', rows.length).map((one, at) => present(objectIn(one), decode, at));
  };
  return {
    async predict(endpoint, row, options = {}) {
      const [only] = await send(endpoint, [row], options, false);
      return only;
    },
    predictMany: (endpoint, rows, options = {}) => send(endpoint, rows, options, false),
    predictPartial: (endpoint, rows, options = {}) => send(endpoint, rows, options, true),
  };
}

function present(
  wire: Values,
  decode: { readonly outputs: DecodeValues; readonly features: DecodeValues },
  at: number,
): AnyPrediction | FailedRow {
  const { prediction_id: predictionId, fallback_from: from, features, statuses, error } = wire;
  // The route's own form.
  if (error !== undefined) return { error: objectIn(error) as unknown as FailedRow['error'] };
  if (typeof predictionId !== 'string') throw unexpected(`no prediction_id in predictions[${at}]`);
  // The route's own forms.
  const { model, version, variant } = wire as Pick<AnyPrediction, 'model' | 'version' | 'variant'> & Values;
  return {
    predictionId,
    outputs: decode.outputs(objectIn(wire['outputs']), `predictions[${at}].outputs`),
    model,
    version,
    variant,
    ...(typeof from === 'string' && { fallbackFrom: from }),
    ...(features !== undefined && { features: decode.features(objectIn(features), `predictions[${at}].features`) }),
    ...(statuses !== undefined && { statuses: objectIn(statuses) as Readonly<Record<string, FeatureStatus>> }),
  };
}

/** A member that is the object's own. */
function own<T>(of: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return of !== undefined && Object.hasOwn(of, name) ? of[name] : undefined;
}
