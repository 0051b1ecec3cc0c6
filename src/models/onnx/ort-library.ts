// ONNX Runtime itself, loaded with care: its synchronous session, and arrays for float16 that its native part takes.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as Ort from 'onnxruntime-node';
import { messageOf } from '../../core/index.ts';

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
  /** Writes the profile that was begun with the session. */
  endProfiling(): void;
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
    listSupportedBackends(): readonly { readonly name: string; readonly bundled: boolean }[];
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
// What it says on stderr comes back as an exception, too.
ort.env.logLevel = 'fatal';
initOrt();

export type OrtTensor = Ort.Tensor;
export const OrtTensor = ort.Tensor;
export const createNativeSession = (): NativeSession => new binding.InferenceSession();
/** Those that this build of the runtime knows; one that is not bundled runs where somebody has put its library. */
export const listProviders = (): readonly { readonly name: string; readonly bundled: boolean }[] =>
  binding.listSupportedBackends();

/** Where the runtime looks for the libraries of providers that are not bundled: beside its own. */
const LIBRARIES = join(
  dirname(load.resolve('onnxruntime-node/package.json')),
  `bin/napi-v6/${process.platform}/${process.arch}`,
);

/**
 * Why the library of a provider can't be loaded, in the words of the system, which the runtime keeps to itself: that it is not
 * there, or which other library is missing that it needs. Undefined where it can.
 */
export function whyNoLibrary(provider: string): string | undefined {
  for (const name of ['shared', provider]) {
    const path = join(LIBRARIES, `libonnxruntime_providers_${name}.so`);
    if (!existsSync(path)) return `there is no ${path}`;
    try {
      process.dlopen({ exports: {} }, path);
    } catch (thrown) {
      const said = messageOf(thrown);
      // It was loaded, and is no part of Node.
      if (!said.includes('did not self-register')) return said;
    }
  }
  return undefined;
}
