// A model's version as commands show it.

import { formatTimestamp } from '../core/index.ts';
import type { Signature, TensorSpec } from '../models/index.ts';
import { graphPins, type ModelVersion } from '../registry/index.ts';

export function presentVersion(version: ModelVersion): object {
  const { createdAtMicros, manifestHash, trainingSet, runId, isRetired, spec: _, ...others } = version;
  return {
    ...others,
    training_set: trainingSet,
    run_id: runId,
    manifest_hash: manifestHash,
    retired: isRetired,
    created_at: formatTimestamp(createdAtMicros),
  };
}

/** `features float32[N,22] → probability float32[N,1]`; N is the number of rows, ? any other size that is open. */
export function describeSignature(signature: ModelVersion['signature']): string {
  // The registry keeps what the runtime read of the file; a version of before that has null.
  const { inputs, outputs } = (signature ?? { inputs: [], outputs: [] }) as unknown as Signature;
  const tensor = ({ name, type, shape }: TensorSpec): string => {
    const sizes = shape.map((size, at) => (size === null ? (at === 0 ? 'N' : '?') : String(size)));
    return `${name} ${type}[${sizes.join(',')}]`;
  };
  if (inputs.length === 0 && outputs.length === 0) return pinsText(signature);
  return `${inputs.map(tensor).join(', ')} → ${outputs.map(tensor).join(', ')}`;
}

/** `slow=slow_model:3 fast=fast_model:1`, of a version that is made of others. */
export function pinsText(signature: ModelVersion['signature']): string {
  return graphPins(signature)
    .map(({ node, model, version }) => `${node}=${model}:${version}`)
    .join(' ');
}
