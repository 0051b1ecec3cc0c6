// One row of a model's output tensors as the values that its definition declares, by position.

import { HeadraceError, typeName, type Value } from '../../core/index.ts';
import type { Tensor } from '../tensor.ts';
import type { OutputPlan } from './binding-plan.ts';
import { fromHalf } from './half.ts';

export type RowReader = (outputs: readonly Tensor[], place: number) => Value[];

export function compileRowReader(plans: readonly OutputPlan[]): RowReader {
  return (outputs, place) => {
    const values = new Array<Value>(plans.length);
    for (let at = 0; at < plans.length; at++) {
      const plan = plans[at] as OutputPlan;
      values[at] = readOutput(plan, outputs[plan.tensor], place);
    }
    return values;
  };
}

function readOutput({ field, name, pick }: OutputPlan, tensor: Tensor | undefined, row: number): Value {
  const rows = tensor?.shape[0] ?? 0;
  if (tensor === undefined || row >= rows) {
    throw new HeadraceError(
      'HR_INFERENCE_FAILED',
      `the model gave no row ${row} of "${name}" for output "${field.name}"`,
    );
  }
  const { data, type } = tensor;
  const width = data.length / rows;
  const isHalf = type === 'float16';
  if (pick === 'all') {
    const values = Float32Array.from({ length: width }, (_, at) => {
      const raw = data[row * width + at] as number | bigint;
      return isHalf ? fromHalf(raw as number) : Number(raw);
    });
    if (field.type.kind !== 'vector' || values.length === field.type.size) return values;
    const sentence = `output "${field.name}" is a ${typeName(field.type)}, the model gave ${values.length} elements`;
    throw new HeadraceError('HR_INFERENCE_FAILED', sentence);
  }
  const raw = data[pick === 'last' ? (row + 1) * width - 1 : row * width] as number | bigint | string;
  switch (field.type.kind) {
    case 'bool':
      return Boolean(raw);
    case 'int64':
      return BigInt(raw);
    case 'int32':
    case 'timestamp':
      return inRange(Number(raw), field, raw);
    case 'string':
      return String(raw);
    case 'float32':
      return isHalf ? fromHalf(raw as number) : Math.fround(Number(raw));
    default:
      return isHalf ? fromHalf(raw as number) : Number(raw);
  }
}

// A tensor's whole numbers may be wider than what is declared: another number must not be answered in its place.
function inRange(value: number, field: OutputPlan['field'], raw: number | bigint | string): number {
  const isWithin = field.type.kind === 'int32' ? (value | 0) === value : Number.isSafeInteger(value);
  if (isWithin) return value;
  const sentence = `output "${field.name}" is a ${typeName(field.type)}, the model gave ${raw}`;
  throw new HeadraceError('HR_INFERENCE_FAILED', sentence);
}
