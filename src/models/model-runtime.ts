// The model runtime port: `onnx/` implements it. Tensors in, tensors out; features and names are the caller's.

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

export interface LoadedModel {
  readonly signature: Signature;
  /** Measured at load, one row. */
  readonly warmMicros: number;
  /**
   * Runs rows of one caller; rows of callers in the same turn of the event loop may run as one batch, never mixed up.
   * Throws HR_OVERLOADED when its queue is full, HR_INVALID for tensors that are not the signature's,
   * HR_INFERENCE_FAILED, HR_MODEL_NOT_READY once closed.
   */
  infer(inputs: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
  /** Waits for what runs, then frees the memory. */
  close(): Promise<void>;
}

export interface ModelRuntime {
  /** Reads a file's signature without serving it. Throws HR_MODEL_UNREADABLE, HR_MODEL_SIGNATURE (maps, sequences). */
  inspect(onnx: Uint8Array): Promise<Signature>;
  /** Throws as `inspect`, and HR_UNSUPPORTED for a provider that isn't there. */
  load(onnx: Uint8Array, options: { readonly providers: readonly string[] }): Promise<LoadedModel>;
}
