export { defineConfig, type HeadraceConfig } from './authoring/config.ts';
export {
  count,
  countDistinct,
  type Feature,
  first,
  last,
  lastN,
  latest,
  max,
  mean,
  min,
  stddev,
  sum,
  variance,
} from './authoring/aggregation.ts';
export { type ColumnType, type MayLack, type RowOf, t, type ValueOf } from './authoring/column-type.ts';
export { type Entity, entity } from './authoring/entity.ts';
export {
  type Endpoint,
  endpoint,
  type EndpointShape,
  type FeatureService,
  featureService,
  type Model,
  model,
  type ServiceShape,
} from './authoring/feature-service.ts';
export { ensembleNode, functionNode, type GraphNode, modelNode, routerNode } from './authoring/graph-node.ts';
export { type Experiment, experiment } from './authoring/experiment.ts';
export { type FeatureView, featureView } from './authoring/feature-view.ts';
export { type Metric, metric } from './authoring/metric.ts';
export { type OnDemandView, onDemandView } from './authoring/on-demand-view.ts';
export { type Rollout, rollout } from './authoring/rollout.ts';
export { grid, type Pipeline, pipeline, range, type Steps } from './authoring/pipeline.ts';
export type { Step } from './authoring/step-options.ts';
export { drift, materialized } from './authoring/trigger.ts';
export {
  csv,
  delta,
  iceberg,
  kafka,
  mysql,
  parquet,
  postgres,
  pushed,
  query,
  snowflake,
  type Source,
  type SourceShape,
} from './authoring/source.ts';
export { sql } from './authoring/sql.ts';
export { container } from './actions/container.ts';
export { evaluate } from './actions/evaluate.ts';
export { materialize } from './actions/materialize.ts';
export { notebook } from './actions/notebook.ts';
export { predict } from './actions/predict.ts';
export { promote } from './actions/promote.ts';
export { python } from './actions/python.ts';
export { registerModel } from './actions/register-model.ts';
export { shell } from './actions/shell.ts';
export { type CachedTaskContext, task, type TaskContext } from './actions/task.ts';
export { trainingSet } from './actions/training-set.ts';
export type { OnFail } from './authoring/expect.ts';
export { isValueRule, ruleColumns, settingApart, showRule } from './expectations.ts';
export { localScript } from './bundling/step-files.ts';
export { namedRequirements } from './bundling/named-requirements.ts';
export { schemaPath } from './bundling/schema-files.ts';
export { functionsOf, mapFunctions } from './bundling/manifest-functions.ts';
export { evaluateBundle } from './bundling/evaluate-bundle.ts';
export { loadBundled, type LoadBundledOptions, type LoadedBundle } from './bundling/load-bundles.ts';
export { typeCheck, type TypeCheckOptions } from './checking/type-check.ts';
export { compileDerive, compileLazyDerive, forgiving, type OnFailedValue } from './calling/call-derive.ts';
export { compileNodeFunction, compileRouterFunction } from './calling/compile-node-function.ts';
export { compileTransform, type Transform } from './calling/compile-transform.ts';
export { fromUser } from './calling/user-value.ts';
export type { Exported } from './compile/collect.ts';
export { compileDefinitions, projectMistake } from './compile/compile-definitions.ts';
export { checkPipeline } from './compile/check-pipeline.ts';
export { checkManifest } from './compile/manifest-schema.ts';
export { RESERVED_PREFIX } from './compile/names.ts';
export { isTaskId } from './function-id.ts';
export { featureOrigin } from './feature-origin.ts';
export { functionOf } from './function-of.ts';
export { loadDefinitions } from './loading/load-definitions.ts';
export { importModule } from './loading/module-loader.ts';
export type {
  ArmSpec,
  Correction,
  ExperimentPlan,
  ExperimentSpec,
  MetricAggregate,
  MetricPartSpec,
  MetricRole,
  MetricSpec,
  NamespaceSpec,
} from './experiment-spec.ts';
export type {
  ClusterSpec,
  ExecutorSpec,
  Foreach,
  GroupSpec,
  PipelineSpec,
  RetryDelay,
  SecretRef,
  StepSpec,
  TriggerSpec,
} from './pipeline-spec.ts';
export type { StepAction } from './actions/action-kinds.ts';
export type { RolloutSpec } from './rollout-spec.ts';
export {
  type FunctionNodeSpec,
  type GraphSpec,
  inputNodes,
  type ModelNodeSpec,
  type NodeFailure,
  type NodeInput,
  nodesBefore,
  type NodeSource,
  type NodeSpec,
  type RouterNodeSpec,
} from './graph-spec.ts';
export type {
  AppliedFile,
  About,
  Aggregation,
  CacheSpec,
  Definitions,
  DeriveSpec,
  EndpointSpec,
  EntitySpec,
  Expectation,
  FeatureSpec,
  FunctionRef,
  Manifest,
  ModelSpec,
  OnDemandInput,
  OnDemandViewSpec,
  PartitionUnit,
  QueriedSource,
  Rule,
  ServiceMember,
  ServiceSpec,
  SourceKind,
  SourceSpec,
  TableRule,
  UserFunction,
  ValueRule,
  ViewSpec,
  WindowOp,
} from './manifest.ts';
export { isLogAlone } from './log-alone.ts';
export { own } from './own.ts';
export { placedDefinitions, placedVersion } from './placed-version.ts';
export { mayLack } from './request-columns.ts';
export {
  type ResolvedService,
  resolveService,
  type ServiceFeature,
  type ServiceRead,
  type ServiceTransform,
} from './resolve-service.ts';
export { columnsInUse, columnsRead, featureColumns, knownColumn, viewColumns } from './source-columns.ts';
export {
  type LiveVersion,
  type RegisteredVersion,
  sourceOfView,
  storedName,
  type VersionEpoch,
  versionNamed,
  versionsOf,
  viewOfVersion,
  viewVersion,
} from './view-version.ts';
export { type TablePart, tableParts } from './table-name.ts';
export { typeCall } from './type-call.ts';
export { readExecutor } from './compile/read-executor.ts';
export { isCron, isTimeZone } from './compile/compile-times.ts';
