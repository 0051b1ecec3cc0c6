export { type Binding, compileBinding } from './binding/compile-binding.ts';
export type { RowKey } from './binding/row-key.ts';
export type { LoadedModel, LoadOptions, ModelRuntime, ModelStatistics, RefusalReason } from './model-runtime.ts';
export type { Signature, Tensor, TensorData, Tensors, TensorSpec, TensorType } from './tensor.ts';
export type { BatchInput, ModelCost, ModelWork, NodeTiming } from './model-work.ts';
export { createOnnxRuntime, type OnnxRuntimeOptions } from './onnx/create-onnx-runtime.ts';
export { tryProvider } from './onnx/try-provider.ts';
export { compileGraph, type NodeModel } from './graph/compile-graph.ts';
export {
  type GraphDocument,
  type PinnedModel,
  readGraphDocument,
  writeGraphDocument,
} from './graph/graph-document.ts';
export type { GraphModel } from './graph/graph-model.ts';
export type { NodeCounts } from './graph/node-meter.ts';
export { EachRowWork, type RowModel, type SpareRuns } from './each-row.ts';
export { type BatchModel, openBatchModel, type ScoredRow } from './batch-model.ts';
export { openBatchGraph } from './graph/batch-graph.ts';
export { withoutTimeouts } from './graph/without-timeouts.ts';
export { arrayOf, elementBytes, isText, requestArrayOf } from './tensor-arrays.ts';
export { fromHalf, toHalf } from './binding/half.ts';
export { RUNTIME_FAILED } from './queue/refusals.ts';
export { boundRows, runRows } from './run-rows.ts';
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
