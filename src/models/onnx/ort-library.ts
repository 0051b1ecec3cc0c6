// ONNX Runtime itself, loaded with care: its synchronous session, and arrays for float16 that its native part takes.

import { createRequire } from 'node:module';
import type * as Ort from 'onnxruntime-node';

/** What the package's own session wraps; running it here spares a turn of the event loop and two promises a run. */
export interface NativeSession {
  loadModel(buffer: ArrayBuffer, byteOffset: number, byteLength: number, options: object): void;
  readonly inputMetadata: readonly NativeEdge[];
  readonly outputMetadata: readonly NativeEdge[];
  /** `fetches`: null for each output that is wanted. Blocks until the model has computed. */
  run(
    feeds: Readonly<Record<string, Ort.Tensor>>,
    fetches: Readonly<Record<string, null>>,
    options: object,
  ): Readonly<Record<string, Ort.Tensor>>;
  dispose(): void;
}

export interface NativeEdge {
  readonly name: string;
  readonly isTensor: boolean;
  /** -1: open. */
  readonly shape: readonly number[];
  /** ONNX's number of the element type. */
  readonly type: number;
}

interface NativeLibrary {
  readonly binding: {
    readonly InferenceSession: new () => NativeSession;
    listSupportedBackends(): readonly { readonly name: string }[];
  };
  initOrt(): void;
}

const load = createRequire(import.meta.url);

// The package makes float16 tensors of Float16Array where there is one, which its native part then refuses: it knows
// Uint16Array alone. The package looks once, when it makes its first tensor.
const hidden = Object.getOwnPropertyDescriptor(globalThis, 'Float16Array');
Reflect.deleteProperty(globalThis, 'Float16Array');
const ort = load('onnxruntime-node') as typeof Ort;
new ort.Tensor('float32', new Float32Array(1), [1]);
if (hidden !== undefined) Object.defineProperty(globalThis, 'Float16Array', hidden);

// Not among the package's exports by name; its version is pinned, and the tests run through here.
const { binding, initOrt } = load('onnxruntime-node/dist/binding.js') as NativeLibrary;
initOrt();

export type OrtTensor = Ort.Tensor;
export const OrtTensor = ort.Tensor;
export const createNativeSession = (): NativeSession => new binding.InferenceSession();
export const listProviders = (): string[] => binding.listSupportedBackends().map(({ name }) => name);
