// Tensors as models take and give them, and what a model says of its own: the signature.

/** ONNX element types a model may use at its edges. */
export type TensorType =
  | 'bool'
  | 'int32'
  | 'int64'
  | 'float32'
  | 'float64'
  | 'string'
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'uint64'
  | 'float16';

export interface TensorSpec {
  readonly name: string;
  readonly type: TensorType;
  /** A dimension not fixed by the model is null (the batch). */
  readonly shape: readonly (number | null)[];
}

export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

export type TensorData =
  | Float32Array
  | Float64Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | BigUint64Array
  | readonly string[];

export interface Tensor {
  readonly type: TensorType;
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: TensorData;
}

export type Tensors = Readonly<Record<string, Tensor>>;
