// headrace.v1.ServingService/Predict: the message → a call of the data plane → the message.

import type { HeadraceError, Scope } from '../../../core/index.ts';
import type { DataPlane } from '../../data-plane.ts';
import { rowProblem } from '../../http/problem.ts';
import type { PredictAnswer, PredictionRow } from '../../predict.ts';
import { ofCall } from '../transport/status.ts';
import { DELIMITED, VARINT, WireReader } from '../wire/wire-reader.ts';
import { writeMessage, type WireWriter } from '../wire/wire-writer.ts';
import { noteRow, type RowPlaces, rowsOf } from './read-rows.ts';
import { statusCode } from './feature-status.ts';
import { KEY, VALUE } from './value-fields.ts';
import { writeValue } from './write-value.ts';

export interface PredictRequest extends RowPlaces {
  readonly endpoint: string;
  readonly isPartial: boolean;
  readonly returnsFeatures: boolean;
  /** Empty: none is asked for. */
  readonly variant: string;
}

const REQUEST = { endpoint: 1, inputs: 2, partial: 3, returnFeatures: 4, variant: 5 } as const;

/** Throws HR_MALFORMED_PROTOBUF; the rows are looked at later. */
export function readPredictRequest(bytes: Buffer): PredictRequest {
  const reader = new WireReader(bytes);
  const request = { endpoint: '', isPartial: false, returnsFeatures: false, variant: '', bytes, places: [] };
  while (reader.next()) {
    if (reader.is(REQUEST.endpoint, DELIMITED)) request.endpoint = reader.text();
    else if (reader.is(REQUEST.inputs, DELIMITED)) noteRow(reader, request);
    else if (reader.is(REQUEST.partial, VARINT)) request.isPartial = reader.bool();
    else if (reader.is(REQUEST.returnFeatures, VARINT)) request.returnsFeatures = reader.bool();
    else if (reader.is(REQUEST.variant, DELIMITED)) request.variant = reader.text();
    else reader.skip();
  }
  return request;
}

/** `tellRows` hears of rows that failed where the others are answered. Throws what `predict` does. */
export async function answerPredict(
  data: DataPlane,
  request: PredictRequest,
  scope: Scope,
  tellRows: (errors: readonly HeadraceError[]) => void,
): Promise<Buffer> {
  const { endpoint, isPartial, returnsFeatures, variant } = request;
  const options = variant === '' ? { isPartial } : { isPartial, forced: variant };
  const answer = await data.predict(endpoint, rowsOf(request), options, scope);
  const failed = answer.rows.flatMap(({ error }) => (error === undefined ? [] : [error]));
  if (failed.length > 0) tellRows(failed);
  return writeMessage((out) => writeAnswer(out, answer, returnsFeatures, scope));
}

const RESPONSE = { endpoint: 1, predictions: 2 } as const;
const PREDICTION = {
  id: 1,
  outputs: 2,
  model: 3,
  version: 4,
  variant: 5,
  fallbackFrom: 6,
  features: 7,
  statuses: 8,
  error: 9,
} as const;
const ERROR = { code: 1, detail: 2, path: 3 } as const;

function writeAnswer(out: WireWriter, { plan, rows }: PredictAnswer, returnsFeatures: boolean, { actor }: Scope): void {
  out.text(RESPONSE.endpoint, plan.state.name);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as PredictionRow;
    const place = out.begin(RESPONSE.predictions);
    if (row.error === undefined) writePrediction(out, row, returnsFeatures);
    else {
      const { code, detail, path } = rowProblem(row.error, `inputs[${i}]`, actor);
      const error = out.begin(PREDICTION.error);
      out.text(ERROR.code, code);
      out.text(ERROR.detail, ofCall(detail));
      out.text(ERROR.path, path);
      out.end(error);
    }
    out.end(place);
  }
}

function writePrediction(
  out: WireWriter,
  { id, arm, row }: Exclude<PredictionRow, { readonly error: HeadraceError }>,
  returnsFeatures: boolean,
): void {
  const { spec, service, binding } = arm.graph.model;
  out.text(PREDICTION.id, id);
  spec.outputs.forEach(({ name, type }, at) => {
    const entry = out.begin(PREDICTION.outputs);
    out.text(KEY, name);
    writeValue(out, VALUE, type, row.outputs[at] ?? null);
    out.end(entry);
  });
  out.text(PREDICTION.model, spec.name);
  out.int(PREDICTION.version, arm.version);
  out.text(PREDICTION.variant, arm.name);
  if (arm.fallbackFrom !== undefined) out.text(PREDICTION.fallbackFrom, arm.fallbackFrom);
  if (!returnsFeatures) return;
  const shown = binding.shown(row.features);
  service.features.forEach(({ name, type }, at) => {
    const entry = out.begin(PREDICTION.features);
    out.text(KEY, name);
    writeValue(out, VALUE, type, shown[at] ?? null);
    out.end(entry);
  });
  service.features.forEach(({ name }, at) => {
    const status = row.statuses[at] ?? 'PRESENT';
    if (status === 'PRESENT') return;
    const entry = out.begin(PREDICTION.statuses);
    out.text(KEY, name);
    out.int(VALUE, statusCode(status));
    out.end(entry);
  });
}
