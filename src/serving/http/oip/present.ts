// What the protocol tells of models, by its own names.

import type { DescribedInput, ModelFigures, ModelMetadata, Timed } from '../../oip/inference-plane.ts';
import type { DescribedTensor } from '../../oip/tensors.ts';

/** Of those that Triton has. */
export const EXTENSIONS = [
  'binary_tensor_data',
  'model_configuration',
  'model_repository',
  'schedule_policy',
  'statistics',
] as const;

export function presentMetadata({ name, versions, platform, inputs, outputs }: ModelMetadata): object {
  return { name, versions, platform, inputs: inputs.map(presentTensor), outputs: outputs.map(presentTensor) };
}

function presentTensor({ name, datatype, shape, isOptional }: DescribedInput): object {
  const tensor = { name, datatype, shape };
  return isOptional === true ? { ...tensor, parameters: { optional: true } } : tensor;
}

/** Triton's model configuration. Sizes are whole, the first among them, so there is no batch dimension beside them. */
export function presentConfig({ name, platform, inputs, outputs }: ModelMetadata): object {
  const tensor = ({ name: own, datatype, shape }: DescribedTensor): object => ({
    name: own,
    data_type: datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`,
    dims: shape,
  });
  return {
    name,
    platform,
    backend: platform === 'onnxruntime_onnx' ? 'onnxruntime' : 'headrace',
    max_batch_size: 0,
    input: inputs.map((input) => ({ ...tensor(input), optional: input.isOptional === true })),
    output: outputs.map(tensor),
  };
}

/** What is not measured is left out. */
export function presentStatistics(figures: ModelFigures): object {
  const { name, version, lastMs, succeeded, failed, rows, runs, waited } = figures;
  return {
    name,
    version,
    last_inference: Math.round(lastMs),
    inference_count: rows,
    execution_count: runs.count,
    inference_stats: {
      success: timed(succeeded),
      fail: timed(failed),
      queue: timed(waited),
      compute_infer: timed(runs),
    },
  };
}

function timed({ count, micros }: Timed): object {
  return { count, ns: Math.round(micros * 1000) };
}
