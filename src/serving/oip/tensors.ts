// Tensors as the Open Inference Protocol names them, whatever brought them: JSON, binary data, gRPC.

import { elementBytes, type Tensor, type TensorSpec, type TensorType } from '../../models/index.ts';

/** One input or output of a request. */
export interface NamedTensor extends Tensor {
  readonly name: string;
}

/** One input or output as metadata tells it. A size that is open is -1. */
export interface DescribedTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

export type Datatype =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'FP32'
  | 'FP64'
  | 'BYTES';

const DATATYPES = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
} as const satisfies Readonly<Record<TensorType, Datatype>>;

const TYPES: ReadonlyMap<string, TensorType> = new Map(
  Object.entries(DATATYPES).map(([type, datatype]) => [datatype, type as TensorType]),
);

/** Every datatype that is taken. BF16 is none: the runtime has no tensor that could hold it. */
export const KNOWN_DATATYPES: readonly string[] = [...TYPES.keys()];

export function datatypeOf(type: TensorType): Datatype {
  return DATATYPES[type];
}

/** Undefined for what is no datatype that is taken. */
export function tensorTypeOf(datatype: string): TensorType | undefined {
  return TYPES.get(datatype);
}

export function describeTensor({ name, type, shape }: TensorSpec): DescribedTensor {
  return { name, datatype: DATATYPES[type], shape: shape.map((size) => size ?? -1) };
}

/** Bytes of one element in binary data; undefined where each has its own length. */
export function binaryBytes(type: TensorType): number | undefined {
  return type === 'string' ? undefined : elementBytes(type);
}

/**
 * How many elements a shape has. Undefined past what `bytes` can hold: an element takes one at least, and so does each row of a
 * tensor that has none, or rows beyond number would be asked for by an empty one.
 */
export function elementsOf(shape: readonly number[], bytes: number): number | undefined {
  let count = 1;
  for (const size of shape) {
    if (size > bytes) return undefined;
    count *= size;
  }
  return Number.isSafeInteger(count) && count <= bytes ? count : undefined;
}
