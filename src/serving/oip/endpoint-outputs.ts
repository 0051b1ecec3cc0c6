// What an endpoint answered as tensors, one row a prediction.

import { isDeepStrictEqual } from 'node:util';
import {
  type DataType,
  type Field,
  HeadraceError,
  invalid,
  stringifyJson,
  toJson,
  type Value,
} from '../../core/index.ts';
import { arrayOf } from '../../models/index.ts';
import type { PredictAnswer, PredictionRow } from '../predict.ts';
import { tensorTypeOfField } from './endpoint-rows.ts';
import { datatypeOf, type NamedTensor } from './tensors.ts';

/** Given where it is asked for by name: what outcomes are told by. */
export const PREDICTION_ID = 'prediction_id';

type Answered = Extract<PredictionRow, { readonly error?: undefined }>;

/**
 * The outputs that every row's arm gives, in the first row's order; `asked`: those, in that order. Where arms differ, of a type that
 * holds what each gives. Throws HR_INVALID for one that is asked for and that the arms have not in common, and HR_INFERENCE_FAILED
 * for a null that its datatype has no word for.
 */
export function outputsOf({ rows }: PredictAnswer, asked: readonly string[] | undefined): NamedTensor[] {
  const answered = rows.filter((row): row is Answered => row.error === undefined);
  const fields = commonFields([...new Set(answered.map(({ arm }) => arm.graph.model.spec.outputs))]);
  if (asked === undefined) return fields.map((field) => outputTensor(field, answered));
  return asked.map((name) => {
    if (name === PREDICTION_ID) return idTensor(answered);
    const field = fields.find((one) => one.name === name);
    if (field === undefined)
      throw invalid([
        { path: name, message: 'the versions that answer do not all give this output, or not of one kind' },
      ]);
    return outputTensor(field, answered);
  });
}

function commonFields([first = [], ...others]: readonly (readonly Field[])[]): readonly Field[] {
  if (others.length === 0) return first;
  return first.flatMap(({ name, type }): Field[] => {
    let common: DataType | undefined = type;
    for (const fields of others) {
      const other = fields.find((field) => field.name === name);
      common = common === undefined || other === undefined ? undefined : commonType(common, other.type);
    }
    return common === undefined ? [] : [{ name, type: common }];
  });
}

/** Undefined where no type holds both. */
function commonType(one: DataType, other: DataType): DataType | undefined {
  if (isDeepStrictEqual(one, other)) return one;
  const kinds = [one.kind, other.kind];
  if (kinds.every((kind) => kind === 'int32' || kind === 'int64')) return { kind: 'int64' };
  return kinds.every((kind) => kind === 'float32' || kind === 'float64') ? { kind: 'float64' } : undefined;
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
    if (of.kind !== 'vector') elements[at] = elementOf(field, value);
    else if (value === null) (data as Float32Array).fill(NaN, at * size, (at + 1) * size);
    else (data as Float32Array).set(value as Float32Array, at * size);
  });
  return { name, type, shape: of.kind === 'vector' ? [rows.length, size] : [rows.length], data };
}

function elementOf({ name, type }: Field, value: Value): unknown {
  switch (type.kind) {
    case 'float32':
    case 'float64':
      return value ?? NaN;
    case 'bool':
    case 'int32':
    case 'int64':
      if (value === null) {
        const sentence = `output "${name}" is null, which a tensor of ${datatypeOf(type.kind)} can not tell`;
        throw new HeadraceError('HR_INFERENCE_FAILED', sentence);
      }
      // An int32 among int64s is a number.
      return type.kind === 'int64' ? BigInt(value as number | bigint) : Number(value);
    case 'list':
      return stringifyJson(toJson(type, value));
    default:
      return value === null ? '' : String(toJson(type, value));
  }
}
