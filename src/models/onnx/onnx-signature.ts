// A session's signature in our own terms.

import type { InferenceSession } from 'onnxruntime-node';
import { HeadraceError } from '../../core/index.ts';
import type { Signature, TensorSpec, TensorType } from '../model-runtime.ts';

/** Throws HR_MODEL_SIGNATURE for inputs or outputs that are no tensors (maps, sequences). */
export function signatureOf(session: InferenceSession): Signature {
  return {
    inputs: session.inputMetadata.map((value) => tensorSpec(value, 'input')),
    outputs: session.outputMetadata.map((value) => tensorSpec(value, 'output')),
  };
}

function tensorSpec(value: InferenceSession.ValueMetadata, side: 'input' | 'output'): TensorSpec {
  if (!value.isTensor) {
    throw new HeadraceError(
      'HR_MODEL_SIGNATURE',
      `${side} "${value.name}" is a map or a sequence, expected a tensor. For a scikit-learn classifier, convert with ` +
        "`to_onnx(model, X, options={'zipmap': False})`.",
    );
  }
  const type = value.type as string;
  if (!isTensorType(type)) {
    throw new HeadraceError('HR_MODEL_SIGNATURE', `${side} "${value.name}" has element type ${type}, which is not supported.`);
  }
  return { name: value.name, type, shape: value.shape.map((size) => (typeof size === 'number' ? size : null)) };
}

const TENSOR_TYPES: ReadonlySet<string> = new Set<TensorType>([
  'bool', 'int32', 'int64', 'float32', 'float64', 'string', 'uint8', 'int8', 'uint16', 'int16', 'uint32', 'uint64', 'float16',
]);

function isTensorType(type: string): type is TensorType {
  return TENSOR_TYPES.has(type);
}
