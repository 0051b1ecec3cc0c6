// Whether an execution provider can be had here, by the least model that there is: what `doctor` asks.

import { createOnnxRuntime } from './create-onnx-runtime.ts';

/** An ONNX file of one node: `probability` [N, 1] is `x` [N, 1] times a weight of 1. */
const LEAST =
  'CAg6awobCgF4CgF3Egtwcm9iYWJpbGl0eSIGTWF0TXVsEgVncmFwaCoPCAEIARABIgQAAIA/QgF3WhQKAXgSDwoNCAESCQoDEgFOCgIIAWIeCgtwcm9iYWJpbGl0eRIPCg0IARIJCgMSAU4KAggBQgQKABARQg4KCmFpLm9ubngubWwQAw==';

/** Resolves when a model has run on it, a device of it as `cuda:1`. Throws HR_UNSUPPORTED as `ModelRuntime.load` does. */
export async function tryProvider(provider: string): Promise<void> {
  const model = await createOnnxRuntime().load(Buffer.from(LEAST, 'base64'), { providers: [provider] });
  await model.close();
}
