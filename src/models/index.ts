export { type Binding, compileBinding } from './binding/compile-binding.ts';
export type { LoadedModel, LoadOptions, ModelRuntime, ModelStatistics, RefusalReason } from './model-runtime.ts';
export type { Signature, Tensor, TensorData, Tensors, TensorSpec, TensorType } from './tensor.ts';
export type { BatchInput, ModelCost, ModelWork } from './model-work.ts';
export { type BatchModel, openBatchModel, type ScoredRow } from './batch-model.ts';
export { createOnnxRuntime, type OnnxRuntimeOptions } from './onnx/create-onnx-runtime.ts';
export { arrayOf, elementBytes, isText } from './tensor-arrays.ts';
export { fromHalf, toHalf } from './binding/half.ts';
export { RUNTIME_FAILED } from './queue/model-core.ts';
export { runRows } from './run-rows.ts';
export { isTransient } from './repository/is-transient.ts';
export {
  type AcquireOptions,
  createModelRepository,
  type ModelLease,
  type ModelRepository,
  type ModelRepositoryOptions,
  type RepositoryModel,
  type RepositoryStatistics,
} from './repository/model-repository.ts';
export {
  binaryMetrics,
  calibrationBins,
  rocCurve,
} from './evaluation/binary-metrics.ts';
export {
  type Evaluated,
  evaluateRows,
  type Metrics,
  PRIMARY,
  type Slice,
  type Task,
} from './evaluation/evaluate-rows.ts';
export { regressionMetrics } from './evaluation/regression-metrics.ts';
