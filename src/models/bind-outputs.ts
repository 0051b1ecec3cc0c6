// A model's output tensors into the named values that its definition declares, one row at a time.

import { HeadraceError, typeName, type Value } from '../core/index.ts';
import type { Binding, OutputBinding } from './bind-inputs.ts';
import type { Tensor } from './model-runtime.ts';

/** The declared outputs of one row. Throws HR_INFERENCE_FAILED when a tensor lacks the row. */
export function bindOutputs(
  binding: Binding,
  outputs: Readonly<Record<string, Tensor>>,
  rowIndex: number,
): Record<string, Value> {
  const named: Record<string, Value> = {};
  for (const output of binding.outputs) named[output.field.name] = readOutput(output, outputs[output.tensor], rowIndex);
  return named;
}

function readOutput({ field, tensor: name, pick }: OutputBinding, tensor: Tensor | undefined, row: number): Value {
  const rows = tensor?.shape[0] ?? 0;
  if (tensor === undefined || row >= rows) {
    throw new HeadraceError(
      'HR_INFERENCE_FAILED',
      `the model gave no row ${row} of "${name}" for output "${field.name}"`,
    );
  }
  const { data } = tensor;
  const width = data.length / rows;
  if (pick === 'all') {
    const values = Array.prototype.slice.call(data, row * width, (row + 1) * width).map(Number);
    if (field.type.kind !== 'vector' || values.length === field.type.size) return Float32Array.from(values);
    const sentence = `output "${field.name}" is a ${typeName(field.type)}, the model gave ${values.length} elements`;
    throw new HeadraceError('HR_INFERENCE_FAILED', sentence);
  }
  const raw = data[pick === 'last' ? (row + 1) * width - 1 : row * width] as number | bigint | string;
  switch (field.type.kind) {
    case 'bool':
      return Boolean(raw);
    case 'int64':
      return BigInt(raw);
    case 'string':
      return String(raw);
    case 'float32':
      return Math.fround(Number(raw));
    default:
      return Number(raw);
  }
}
