export type {
  About, Aggregation, Definitions, DeriveSpec, EndpointSpec, EntitySpec, FeatureSpec, Foreach, FunctionRef, Manifest,
  ModelSpec, OnDemandInput, OnDemandViewSpec, PipelineSpec, ServiceMember, ServiceSpec, SourceKind, SourceSpec,
  StepAction, StepSpec, UserFunction, ViewSpec, WindowOp,
} from './manifest.ts';
export { type ResolvedService, resolveService, type ServiceFeature, type ServiceRead, type ServiceTransform } from './resolve-service.ts';
