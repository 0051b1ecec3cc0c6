// Batches of rows: tensors of several callers joined along the first dimension, and the outputs parted again.

import type { Tensor, TensorData } from '../model-runtime.ts';
import type { Tensors } from './ort-session.ts';

/** Rows of a caller: the size of the first dimension. */
export function rowsOf(inputs: Tensors): number {
  for (const name in inputs) return inputs[name]?.shape[0] ?? 1;
  return 0;
}

/** Equal for inputs that may be joined: every size but the first agrees. */
export function shapeKey(inputs: Tensors): string {
  let key = '';
  for (const name in inputs) key += `${name}:${inputs[name]?.shape.slice(1).join('x')};`;
  return key;
}

/** The callers' tensors as one, in order; all must have one shape key. */
export function joinRows(callers: readonly Tensors[]): Tensors {
  const [first] = callers;
  if (first === undefined || callers.length === 1) return first ?? {};
  const joined: Record<string, Tensor> = {};
  for (const name in first) joined[name] = join(callers.map((caller) => caller[name] as Tensor));
  return joined;
}

function join(parts: readonly Tensor[]): Tensor {
  const { type, shape, data } = parts[0] as Tensor;
  const rows = parts.reduce((sum, part) => sum + (part.shape[0] ?? 0), 0);
  const joinedShape = [rows, ...shape.slice(1)];
  if (isText(data)) return { type, shape: joinedShape, data: parts.flatMap((part) => part.data as readonly string[]) };
  const size = parts.reduce((sum, part) => sum + part.data.length, 0);
  const all = emptyLike(data, size);
  let offset = 0;
  for (const part of parts) {
    // Parts of one tensor have one type, so one kind of array.
    (all as Float32Array).set(part.data as Float32Array, offset);
    offset += part.data.length;
  }
  return { type, shape: joinedShape, data: all };
}

/** Rows `start` to `end` of every tensor; numbers are views, not copies. */
export function takeRows(tensors: Tensors, start: number, end: number): Tensors {
  const taken: Record<string, Tensor> = {};
  for (const name in tensors) {
    const { type, shape, data } = tensors[name] as Tensor;
    const width = data.length / Math.max(shape[0] ?? 1, 1);
    const part = isText(data) ? data.slice(start * width, end * width) : data.subarray(start * width, end * width);
    taken[name] = { type, shape: [end - start, ...shape.slice(1)], data: part };
  }
  return taken;
}

function isText(data: TensorData): data is readonly string[] {
  return Array.isArray(data);
}

function emptyLike<T extends Exclude<TensorData, readonly string[]>>(data: T, size: number): T {
  // Every typed array's constructor takes a length.
  return new (data.constructor as new (length: number) => T)(size);
}
