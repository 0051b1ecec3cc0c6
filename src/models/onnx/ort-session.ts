// One ONNX Runtime session: opened with our options, its signature in our words, runs that block their thread.

import { HeadraceError, messageOf, readProvider } from '../../core/index.ts';
import type { Signature, Tensor, TensorData, TensorSpec, TensorType } from '../tensor.ts';
import {
  createNativeSession,
  listProviders,
  type NativeEdge,
  type NativeSession,
  OrtTensor,
  whyNoLibrary,
} from './ort-library.ts';

export interface OrtSession {
  readonly signature: Signature;
  /** Inputs and outputs in the signature's order. Blocks the thread while the model computes. Throws what the model does. */
  run(inputs: readonly OrtTensor[]): Tensor[];
  /** Of one that was opened with a profile: writes it, and goes on without. */
  endProfiling(): void;
  release(): void;
}

/**
 * Blocks the thread while it loads. Throws HR_MODEL_UNREADABLE (corrupt, unknown operator), HR_MODEL_SIGNATURE (maps,
 * sequences), HR_UNSUPPORTED (a provider that was asked for and isn't there, or a device of it), HR_OVERLOADED (no room for it
 * now). `profilePrefix`: how the path begins of a profile of what it runs.
 */
export function openSession(
  onnx: Uint8Array,
  providers: readonly string[],
  threads: number,
  profilePrefix?: string,
): OrtSession {
  const session = open(onnx, providers, threads, profilePrefix);
  try {
    const signature = {
      inputs: session.inputMetadata.map(specOf),
      outputs: session.outputMetadata.map(specOf),
    };
    const fetches = Object.fromEntries(signature.outputs.map(({ name }) => [name, null]));
    const names = signature.inputs.map(({ name }) => name);
    return {
      signature,
      run(inputs) {
        const feeds: Record<string, OrtTensor> = {};
        for (let at = 0; at < names.length; at++) feeds[names[at] as string] = inputs[at] as OrtTensor;
        const results = session.run(feeds, fetches, {});
        return signature.outputs.map(({ name }) => fromOrt(results[name] as OrtTensor));
      },
      endProfiling: () => session.endProfiling(),
      release: () => session.dispose(),
    };
  } catch (thrown) {
    session.dispose();
    throw thrown;
  }
}

export function toOrt({ type, shape, data }: Tensor): OrtTensor {
  // The constructor's overloads pair each type with its array; the port's check has done that already.
  return new OrtTensor(type as 'float32', data as Float32Array, shape);
}

function fromOrt({ type, dims, data }: OrtTensor): Tensor {
  // Outputs are on the CPU and of a type that `specOf` let through.
  return { type: type as TensorType, shape: dims, data: data as TensorData };
}

function open(
  onnx: Uint8Array,
  providers: readonly string[],
  threads: number,
  profilePrefix: string | undefined,
): NativeSession {
  const known = listProviders();
  const absent = providers.find((provider) => !known.some(({ name }) => name === nameOf(provider)));
  if (absent !== undefined) throw unavailable(absent, 'this build of ONNX Runtime has no such');
  // An empty file makes the runtime read past its end on some versions; it is no model anyway.
  if (onnx.byteLength === 0)
    throw new HeadraceError('HR_MODEL_UNREADABLE', 'the file is empty; expected an ONNX model');
  const session = createNativeSession();
  try {
    // The native part takes no shared memory here.
    session.loadModel(onnx.buffer as ArrayBuffer, onnx.byteOffset, onnx.byteLength, {
      executionProviders: providers.map(nativeProvider),
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Errors come back as exceptions; the runtime's own lines on stderr would only double them.
      logSeverityLevel: 4,
      // A spinning pool takes cores from the other workers while it has nothing to do.
      extra: { session: { 'intra_op.allow_spinning': '0', 'inter_op.allow_spinning': '0' } },
      ...(profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePrefix }),
    });
    return session;
  } catch (thrown) {
    const full = asNoRoom(thrown);
    if (full !== undefined) throw full;
    const reason = messageOf(thrown);
    const accelerator = providers.find((provider) => provider !== 'cpu');
    // What the CPU can load is a model: the fault lies with the provider, or with the device.
    if (accelerator !== undefined && loadsOnCpu(onnx)) {
      const isBundled = known.some(({ name, bundled }) => bundled && name === nameOf(accelerator));
      const why = isBundled ? undefined : whyNoLibrary(nameOf(accelerator));
      const said = briefly(reason);
      throw unavailable(accelerator, why === undefined ? said : `${said} (${why})`, thrown);
    }
    const sentence = `the file is no ONNX model that this runtime can load (${reason}). Export it again, and check that it was copied whole.`;
    throw new HeadraceError('HR_MODEL_UNREADABLE', sentence, { cause: thrown });
  }
}

/** A name, or what the package takes for a device of it. Options of ONNX Runtime that the package does not pass on can't be given. */
function nativeProvider(text: string): string | { readonly name: string; readonly deviceId: number } {
  const { name, device } = readProvider(text) ?? { name: text, device: undefined };
  return device === undefined ? name : { name, deviceId: device };
}

const NO_ROOM = /bad_alloc|bad allocation|failed to allocate|out of memory|busy or unavailable/i;

/** HR_OVERLOADED where no memory is left, or a device is another process's alone, which says nothing of the file; else undefined. */
export function asNoRoom(thrown: unknown): HeadraceError | undefined {
  const reason = messageOf(thrown);
  if (!NO_ROOM.test(reason)) return undefined;
  const sentence = `there is no room for the model now (${briefly(reason)}). Unload others, or give the server more memory.`;
  return new HeadraceError('HR_OVERLOADED', sentence, { cause: thrown });
}

/** Without the places in the runtime's own source that it tells of. */
export function briefly(reason: string): string {
  return (
    /\bCUDA failure \d+: [^;]*[^; ]/.exec(reason)?.[0] ?? reason.replaceAll(/\/onnxruntime_src\/\S+ ?/g, '').trim()
  );
}

function loadsOnCpu(onnx: Uint8Array): boolean {
  try {
    open(onnx, ['cpu'], 1, undefined).dispose();
    return true;
  } catch {
    return false;
  }
}

function nameOf(provider: string): string {
  return readProvider(provider)?.name ?? provider;
}

function unavailable(provider: string, reason: string, cause?: unknown): HeadraceError {
  const known = listProviders();
  const names = (bundled: boolean): string =>
    known.flatMap((one) => (one.bundled === bundled ? [one.name] : [])).join(', ');
  const more = names(false) === '' ? '' : `, and where their libraries are installed ${names(false)}`;
  const there = `It has ${names(true)}${more}`;
  const sentence = `the execution provider "${provider}" is not available here: ${reason}. ${there}. Install what it needs (docs/guides/gpu.md), or let the model run on "cpu": its providers, or models.providers.`;
  return new HeadraceError('HR_UNSUPPORTED', sentence, { cause });
}

// By ONNX's numbers (TensorProto.DataType).
const TYPES: Readonly<Record<number, TensorType>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  8: 'string',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  12: 'uint32',
  13: 'uint64',
};

function specOf({ name, isTensor, type: number, shape }: NativeEdge): TensorSpec {
  if (!isTensor) {
    const sentence = `"${name}" is a map or a sequence, not a tensor. Export the model without ZipMap: \`convert_sklearn(model, options={id(model): {'zipmap': False}})\`.`;
    throw new HeadraceError('HR_MODEL_SIGNATURE', sentence);
  }
  const type = TYPES[number];
  if (type === undefined) {
    throw new HeadraceError(
      'HR_MODEL_SIGNATURE',
      `"${name}" has ONNX's element type ${number}, which cannot be served. Cast it to float32 at the model's edge.`,
    );
  }
  return { name, type, shape: shape.map((size) => (size < 0 ? null : size)) };
}
