// How ONNX Runtime sessions are opened: one thread each, no spinning, the providers that were asked for or an error.

import * as ort from 'onnxruntime-node';
import { HeadraceError } from '../../core/index.ts';

/** Options for a session. Throws HR_UNSUPPORTED for a provider that this machine's runtime lacks. */
export function sessionOptions(providers: readonly string[]): ort.InferenceSession.SessionOptions {
  const available = ort.listSupportedBackends().map((backend) => backend.name);
  const missing = providers.filter((provider) => !available.includes(provider));
  if (missing.length > 0) {
    throw new HeadraceError(
      'HR_UNSUPPORTED',
      `execution provider ${missing.map((name) => `"${name}"`).join(', ')} is not available here; the runtime has ` +
        `${available.join(', ')}. Name one of these in the model's \`providers\`.`,
    );
  }
  return {
    executionProviders: [...providers],
    // One thread a model: requests are the parallelism, and a spinning thread would take a core from them.
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Errors come back as exceptions; the runtime need not print them as well.
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  };
}

/** Opens a session. Throws HR_MODEL_UNREADABLE for a file that the runtime cannot take. */
export async function openSession(onnx: Uint8Array, providers: readonly string[]): Promise<ort.InferenceSession> {
  const options = sessionOptions(providers);
  try {
    return await ort.InferenceSession.create(onnx, options);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new HeadraceError(
      'HR_MODEL_UNREADABLE',
      `an ONNX file of ${onnx.byteLength} bytes cannot be loaded: ${reason}. Export it again, and check that the copy is whole.`,
      { cause: thrown },
    );
  }
}
