// Feature values into a model's tensors: compiled once per model version, then row by row into arrays, no look-ups.

import { type Field, HeadraceError, INVALID, parseValue, typeName, type Value } from '../core/index.ts';
import type { Tensor, TensorData, TensorType } from './model-runtime.ts';

/** A model's mapping from features to tensors and from tensors to outputs, compiled by `checkSignature`. */
export interface Binding {
  readonly inputs: readonly InputBinding[];
  readonly outputs: readonly OutputBinding[];
}

/** One tensor, filled from these features in order. */
export interface InputBinding {
  readonly name: string;
  readonly type: TensorType;
  /** Elements a row takes. */
  readonly width: number;
  /** 1 for [N], 2 for [N, width]. */
  readonly rank: 1 | 2;
  readonly columns: readonly ColumnBinding[];
}

export interface ColumnBinding {
  /** Index into the service's features. */
  readonly feature: number;
  readonly field: Field;
  /** Where in the tensor's row it starts. */
  readonly offset: number;
  readonly width: number;
  /** Stands in for null where the tensor takes no NaN. */
  readonly standIn: Value;
}

export interface OutputBinding {
  readonly field: Field;
  readonly tensor: string;
  /** Which element of the tensor's row: 0, or the last of a classifier's probabilities. */
  readonly pick: 'first' | 'last' | 'all';
}

/**
 * Tensors of [rows, …] from rows of feature values in the service's order. A null in a float tensor is NaN; elsewhere
 * it takes the feature's default. Throws HR_NULL_FEATURE where there is none, HR_INVALID for a string with a NUL.
 */
export function bindInputs(binding: Binding, rows: readonly (readonly Value[])[]): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const input of binding.inputs) {
    const shape = input.rank === 1 ? [rows.length] : [rows.length, input.width];
    tensors[input.name] = { type: input.type, shape, data: fill(input, rows) };
  }
  return tensors;
}

function fill(input: InputBinding, rows: readonly (readonly Value[])[]): TensorData {
  const size = rows.length * input.width;
  switch (input.type) {
    case 'float32':
      return fillFloats(input, rows, new Float32Array(size));
    case 'float64':
      return fillFloats(input, rows, new Float64Array(size));
    case 'int64':
      return fillEach(input, rows, new BigInt64Array(size), (value) => BigInt(value as number | bigint | boolean));
    case 'int32':
      return fillEach(input, rows, new Int32Array(size), Number);
    case 'bool':
      return fillEach(input, rows, new Uint8Array(size), Number);
    default:
      return fillEach(input, rows, new Array<string>(size), checkedText);
  }
}

function fillFloats<T extends Float32Array | Float64Array>(
  input: InputBinding,
  rows: readonly (readonly Value[])[],
  data: T,
): T {
  const { columns, width } = input;
  for (let row = 0, start = 0; row < rows.length; row++, start += width) {
    const values = rows[row] as readonly Value[];
    for (let at = 0; at < columns.length; at++) {
      const column = columns[at] as ColumnBinding;
      const value = values[column.feature] ?? null;
      const target = start + column.offset;
      if (typeof value === 'number') data[target] = value;
      else if (value === null) data.fill(NaN, target, target + column.width);
      else if (value instanceof Float32Array) data.set(value, target);
      else data[target] = Number(value);
    }
  }
  return data;
}

function fillEach<E, T extends { [index: number]: E }>(
  input: InputBinding,
  rows: readonly (readonly Value[])[],
  data: T,
  convert: (value: Value, field: Field) => E,
): T {
  const { columns, width } = input;
  for (let row = 0; row < rows.length; row++) {
    for (const { feature, field, offset, standIn } of columns) {
      const value = rows[row]?.[feature] ?? standIn;
      if (value === null) {
        const sentence = `feature "${field.name}" is null, and input "${input.name}" (${input.type}) takes no null. Declare a default: \`.default(…)\`.`;
        throw new HeadraceError('HR_NULL_FEATURE', sentence);
      }
      data[row * width + offset] = convert(value, field);
    }
  }
  return data;
}

function checkedText(value: Value, field: Field): string {
  const text = String(value);
  // The runtime would cut the text there, and predict for another value.
  if (text.includes('\0'))
    throw new HeadraceError(
      'HR_INVALID',
      `feature "${field.name}" holds a NUL character, which no model can take. Remove it.`,
    );
  return text;
}

/** The declared default as a value; null without one. */
export function defaultOf(field: Field): Value {
  if (field.default === undefined) return null;
  const value = parseValue(field.type, field.default);
  if (value === INVALID)
    throw new HeadraceError('HR_DEFINITION', `the default of "${field.name}" is no ${typeName(field.type)}`);
  return value;
}
