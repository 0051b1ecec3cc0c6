// The smoke inference at load: proves that the model runs, times it, and finds out whether rows may share a batch.

import { HeadraceError, messageOf } from '../../core/index.ts';
import type { Signature, Tensor, TensorData, TensorSpec } from '../model-runtime.ts';
import type { OrtSession, Tensors } from './ort-session.ts';
import { takeRows } from './tensor-rows.ts';

export interface Warmth {
  /** Median of several runs of one row. */
  readonly warmMicros: number;
  readonly mode: 'joined' | 'single' | 'rowwise';
}

const RUNS = 5;

/** Throws HR_MODEL_UNREADABLE when the model fails on one row although its shapes are known. */
export async function warmUp(session: OrtSession): Promise<Warmth> {
  const { signature } = session;
  const one = smokeInputs(signature, 1);
  const times: number[] = [];
  try {
    for (let run = 0; run <= RUNS; run++) {
      const startMs = performance.now();
      await session.run(one);
      if (run > 0) times.push((performance.now() - startMs) * 1000);
    }
  } catch (thrown) {
    // With a size that only the caller knows, one row of our making may be wrong: no verdict then.
    if (hasOpenSizes(signature)) return { warmMicros: 0, mode: 'single' };
    const reason = messageOf(thrown);
    throw new HeadraceError('HR_MODEL_UNREADABLE', `the model loads but fails on one row: ${reason}`, {
      cause: thrown,
    });
  }
  const warmMicros = times.sort((a, b) => a - b)[Math.floor(RUNS / 2)] as number;
  if (signature.inputs.length > 0 && signature.inputs.every(({ shape }) => shape[0] === 1))
    return { warmMicros, mode: 'rowwise' };
  return { warmMicros, mode: (await canJoin(session)) ? 'joined' : 'single' };
}

// Rows are independent when a batch of three different rows gives, row by row, what each gives alone.
async function canJoin(session: OrtSession): Promise<boolean> {
  if (session.signature.inputs.length === 0 || session.signature.inputs.some(({ shape }) => shape[0] !== null))
    return false;
  try {
    const inputs = smokeInputs(session.signature, 3);
    const together = await session.run(inputs);
    for (const name in together) if (together[name]?.shape[0] !== 3) return false;
    for (let row = 0; row < 3; row++) {
      const alone = await session.run(takeRows(inputs, row, row + 1));
      if (!isClose(takeRows(together, row, row + 1), alone)) return false;
    }
    return true;
  } catch {
    return false;
  }
}

function isClose(a: Tensors, b: Tensors): boolean {
  return Object.keys(a).every((name) => {
    const left = a[name]?.data ?? [];
    const right = b[name]?.data ?? [];
    if (left.length !== right.length) return false;
    return Array.prototype.every.call(left, (value: number | bigint | string, index: number) => {
      const other = right[index];
      if (typeof value !== 'number' || typeof other !== 'number') return value === other;
      return Object.is(value, other) || Math.abs(value - other) <= 1e-4 * Math.max(1, Math.abs(value));
    });
  });
}

function smokeInputs(signature: Signature, rows: number): Tensors {
  return Object.fromEntries(signature.inputs.map((input) => [input.name, smokeTensor(input, rows)]));
}

// Row r is filled with r, so that no two rows are alike.
function smokeTensor({ type, shape }: TensorSpec, rows: number): Tensor {
  const sizes = shape.map((size, at) => (at === 0 && size === null ? rows : (size ?? 1)));
  const size = sizes.reduce((product, dimension) => product * dimension, 1);
  const width = size / Math.max(sizes[0] ?? 1, 1);
  const values = Array.from({ length: size }, (_, index) => Math.floor(index / width));
  return { type, shape: sizes, data: dataOf(type, values) };
}

function dataOf(type: Tensor['type'], values: readonly number[]): TensorData {
  switch (type) {
    case 'float32':
      return Float32Array.from(values);
    case 'float64':
      return Float64Array.from(values);
    case 'int32':
      return Int32Array.from(values);
    case 'int64':
      return BigInt64Array.from(values, BigInt);
    case 'uint64':
      return BigUint64Array.from(values, BigInt);
    case 'uint32':
      return Uint32Array.from(values);
    case 'int16':
      return Int16Array.from(values);
    case 'uint16':
    case 'float16':
      return Uint16Array.from(values);
    case 'int8':
      return Int8Array.from(values);
    case 'bool':
      return Uint8Array.from(values, (value) => value % 2);
    case 'uint8':
      return Uint8Array.from(values);
    case 'string':
      return values.map(String);
  }
}

function hasOpenSizes(signature: Signature): boolean {
  return signature.inputs.some(({ shape }) => shape.slice(1).includes(null));
}
