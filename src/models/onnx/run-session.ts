// One inference: our tensors in, our tensors out.

import * as ort from 'onnxruntime-node';
import { HeadraceError } from '../../core/index.ts';
import type { Signature, Tensor, TensorData, TensorSpec } from '../model-runtime.ts';

export type Tensors = Readonly<Record<string, Tensor>>;

/** Throws HR_INFERENCE_FAILED with the runtime's reason. */
export async function runSession(session: ort.InferenceSession, signature: Signature, inputs: Tensors): Promise<Tensors> {
  const feeds: Record<string, ort.Tensor> = {};
  for (const { name } of signature.inputs) feeds[name] = toOrt(inputs[name] as Tensor);
  let results: Readonly<Record<string, ort.OnnxValue>>;
  try {
    results = await session.run(feeds);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new HeadraceError('HR_INFERENCE_FAILED', `the model's runtime raised: ${reason}`, { cause: thrown });
  }
  const outputs: Record<string, Tensor> = {};
  for (const { name, type } of signature.outputs) {
    const result = results[name] as ort.Tensor;
    // The runtime gives each type the typed array that TensorData names for it.
    outputs[name] = { type, shape: result.dims, data: result.data as unknown as TensorData };
  }
  return outputs;
}

function toOrt({ type, data, shape }: Tensor): ort.Tensor {
  // The constructor's overloads want type and data in pairs; a Tensor of ours holds only matching pairs.
  return new ort.Tensor(type as 'float32', data as Float32Array, shape as number[]);
}

/** One row of zeros for each input: for warming up. */
export function zeroInputs(signature: Signature): Tensors {
  return Object.fromEntries(signature.inputs.map((spec) => [spec.name, zeros(spec)]));
}

function zeros({ type, shape }: TensorSpec): Tensor {
  const filled = shape.map((size) => size ?? 1);
  const length = filled.reduce((product, size) => product * size, 1);
  return { type, shape: filled, data: emptyData(type, length) };
}

/** Zeros (empty strings) of a tensor type. Throws HR_MODEL_SIGNATURE for float16, which Node's runtime can't take. */
export function emptyData(type: Tensor['type'], length: number): TensorData {
  switch (type) {
    case 'float32': return new Float32Array(length);
    case 'float64': return new Float64Array(length);
    case 'int64': return new BigInt64Array(length);
    case 'uint64': return new BigUint64Array(length);
    case 'int32': return new Int32Array(length);
    case 'uint32': return new Uint32Array(length);
    case 'int16': return new Int16Array(length);
    case 'uint16': return new Uint16Array(length);
    case 'int8': return new Int8Array(length);
    case 'bool':
    case 'uint8': return new Uint8Array(length);
    case 'string': return Array<string>(length).fill('');
    case 'float16':
      throw new HeadraceError('HR_MODEL_SIGNATURE', 'the model takes or gives float16, which is not supported yet. Convert its edges to float32.');
  }
}
