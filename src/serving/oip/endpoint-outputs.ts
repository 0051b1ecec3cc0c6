// What an endpoint answered as tensors, one row a prediction.

import { type Field, HeadraceError, invalid, stringifyJson, toJson, type Value } from '../../core/index.ts';
import { arrayOf } from '../../models/index.ts';
import type { PredictAnswer, PredictionRow } from '../predict.ts';
import { tensorTypeOfField } from './endpoint-rows.ts';
import type { NamedTensor } from './tensors.ts';

/** Given where it is asked for by name: what outcomes are told by. */
export const PREDICTION_ID = 'prediction_id';

type Answered = Extract<PredictionRow, { readonly error?: undefined }>;

/**
 * The outputs that every row's arm gives, of the first row's types; `asked`: those, in that order. Throws HR_INVALID for one that
 * the arm of a row does not give.
 */
export function outputsOf({ rows }: PredictAnswer, asked: readonly string[] | undefined): NamedTensor[] {
  const answered = rows.filter((row): row is Answered => row.error === undefined);
  const fields = (answered[0]?.arm.graph.model.spec.outputs ?? []).filter(({ name }) =>
    answered.every((row) => placeOf(row, name) >= 0),
  );
  if (asked === undefined) return fields.map((field) => outputTensor(field, answered));
  return asked.map((name) => {
    if (name === PREDICTION_ID) return idTensor(answered);
    const field = fields.find((one) => one.name === name);
    if (field === undefined)
      throw invalid([{ path: name, message: 'the version that answers does not give this output' }]);
    return outputTensor(field, answered);
  });
}

function idTensor(rows: readonly Answered[]): NamedTensor {
  return { name: PREDICTION_ID, type: 'string', shape: [rows.length], data: rows.map(({ id }) => id) };
}

function placeOf({ arm }: Answered, name: string): number {
  return arm.graph.model.spec.outputs.findIndex((field) => field.name === name);
}

function outputTensor(field: Field, rows: readonly Answered[]): NamedTensor {
  const { name, type: of } = field;
  const type = tensorTypeOfField(of);
  const size = of.kind === 'vector' ? of.size : 1;
  const data = arrayOf(type, rows.length * size);
  // Each type has its own array.
  const elements = data as unknown as unknown[];
  rows.forEach((row, at) => {
    const value = row.row.outputs[placeOf(row, name)] ?? null;
    if (of.kind === 'vector') (data as Float32Array).set(value as Float32Array, at * size);
    else elements[at] = elementOf(field, value);
  });
  return { name, type, shape: of.kind === 'vector' ? [rows.length, size] : [rows.length], data };
}

function elementOf({ name, type }: Field, value: Value): unknown {
  switch (type.kind) {
    case 'bool':
      return value === true ? 1 : 0;
    case 'float32':
    case 'float64':
      return value ?? NaN;
    case 'int32':
    case 'int64':
      if (value === null) throw new HeadraceError('HR_INFERENCE_FAILED', `output "${name}" has no value`);
      // Versions of a model may differ in the size of a whole number.
      return type.kind === 'int32' ? Number(value) : BigInt(value as number | bigint);
    case 'list':
      return stringifyJson(toJson(type, value));
    default:
      return value === null ? '' : String(toJson(type, value));
  }
}
