// A model's version as commands show it.

import { formatTimestamp } from '../core/index.ts';
import { graphPins, type ModelVersion } from '../registry/index.ts';
import { describeTensors } from './model-signature.ts';

export function presentVersion(version: ModelVersion): object {
  const { createdAtMicros, manifestHash, trainingSet, runId, isRetired, spec, rowsVerdict, ...others } = version;
  return {
    ...others,
    training_set: trainingSet,
    run_id: runId,
    manifest_hash: manifestHash,
    batch: spec?.batch ?? null,
    rows: rowsVerdict,
    retired: isRetired,
    created_at: formatTimestamp(createdAtMicros),
  };
}

/** What it takes and gives; the pins of one that is made of others. */
export function describeSignature(signature: ModelVersion['signature']): string {
  const tensors = describeTensors(signature);
  return tensors === '' ? pinsText(signature) : tensors;
}

/** `slow=slow_model:3 fast=fast_model:1`, of a version that is made of others. */
export function pinsText(signature: ModelVersion['signature']): string {
  return graphPins(signature)
    .map(({ node, model, version }) => `${node}=${model}:${version}`)
    .join(' ');
}
