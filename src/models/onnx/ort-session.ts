// One ONNX Runtime session: opened with our options, its signature in our words, and tensors both ways.

import { InferenceSession, listSupportedBackends, Tensor as OrtTensor } from 'onnxruntime-node';
import { HeadraceError, messageOf } from '../../core/index.ts';
import type { Signature, Tensor, TensorSpec, TensorType } from '../model-runtime.ts';

export type Tensors = Readonly<Record<string, Tensor>>;

export interface OrtSession {
  readonly signature: Signature;
  /** Blocks the thread while the model computes. */
  run(inputs: Tensors): Promise<Tensors>;
  release(): Promise<void>;
}

/**
 * Throws HR_MODEL_UNREADABLE (corrupt, unknown operator), HR_MODEL_SIGNATURE (maps, sequences, float16), HR_UNSUPPORTED
 * (a provider that was asked for and isn't there).
 */
export async function openSession(
  onnx: Uint8Array,
  providers: readonly string[],
  threads: number,
): Promise<OrtSession> {
  const session = await create(onnx, providers, threads);
  try {
    const signature = signatureOf(session);
    return {
      signature,
      async run(inputs) {
        const feeds: Record<string, OrtTensor> = {};
        for (const name of session.inputNames) feeds[name] = toOrt(inputs[name] as Tensor);
        const results = await session.run(feeds);
        const outputs: Record<string, Tensor> = {};
        for (const name in results) outputs[name] = fromOrt(results[name] as OrtTensor);
        return outputs;
      },
      release: () => session.release(),
    };
  } catch (thrown) {
    await session.release();
    throw thrown;
  }
}

async function create(onnx: Uint8Array, providers: readonly string[], threads: number): Promise<InferenceSession> {
  const known = listSupportedBackends().map(({ name }) => name);
  const absent = providers.find((provider) => !known.includes(provider));
  if (absent !== undefined) throw unavailable(absent, `this build of ONNX Runtime has ${known.join(', ')}`);
  // An empty file makes the runtime read past its end on some versions; it is no model anyway.
  if (onnx.byteLength === 0)
    throw new HeadraceError('HR_MODEL_UNREADABLE', 'the file is empty; expected an ONNX model');
  try {
    return await InferenceSession.create(onnx, {
      executionProviders: [...providers],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Errors come back as exceptions; the runtime's own lines on stderr would only double them.
      logSeverityLevel: 4,
      // A spinning pool takes cores from the other workers while it has nothing to do.
      extra: { session: { 'intra_op.allow_spinning': '0', 'inter_op.allow_spinning': '0' } },
    });
  } catch (thrown) {
    const reason = messageOf(thrown);
    const accelerator = providers.find((provider) => provider !== 'cpu');
    if (accelerator !== undefined && /provider|library|\.so|\.dll/i.test(reason))
      throw unavailable(accelerator, reason, thrown);
    const sentence = `the file is no ONNX model that this runtime can load (${reason}). Export it again, and check that it was copied whole.`;
    throw new HeadraceError('HR_MODEL_UNREADABLE', sentence, { cause: thrown });
  }
}

function unavailable(provider: string, reason: string, cause?: unknown): HeadraceError {
  const sentence = `the execution provider "${provider}" is not available here: ${reason}. Install it, or list only "cpu" in the model's providers.`;
  return new HeadraceError('HR_UNSUPPORTED', sentence, { cause });
}

function signatureOf(session: InferenceSession): Signature {
  return { inputs: session.inputMetadata.map(specOf), outputs: session.outputMetadata.map(specOf) };
}

function specOf(metadata: InferenceSession.ValueMetadata): TensorSpec {
  if (!metadata.isTensor) {
    const sentence = `"${metadata.name}" is a map or a sequence, not a tensor. Export the model without ZipMap: \`convert_sklearn(model, options={id(model): {'zipmap': False}})\`.`;
    throw new HeadraceError('HR_MODEL_SIGNATURE', sentence);
  }
  const { name, type, shape } = metadata;
  if (type === 'float16' || type === 'int4' || type === 'uint4') {
    throw new HeadraceError(
      'HR_MODEL_SIGNATURE',
      `"${name}" is ${type}, which cannot be served. Cast it to float32 at the model's edge.`,
    );
  }
  // What is left are the types of the port, by the same names.
  return { name, type: type as TensorType, shape: shape.map((size) => (typeof size === 'number' ? size : null)) };
}

function toOrt({ type, shape, data }: Tensor): OrtTensor {
  // The constructor's overloads pair each type with its array; the port's check has done that already.
  return new OrtTensor(type as 'float32', data as Float32Array, shape);
}

function fromOrt(tensor: OrtTensor): Tensor {
  // Outputs are on the CPU and of a type that `specOf` let through.
  return { type: tensor.type as TensorType, shape: tensor.dims, data: tensor.data as Float32Array };
}
