export {
  type AccessKey,
  type AccessKeys,
  type HashedKey,
  isInForce,
  type KeyChange,
  type MadeKey,
  type NewKey,
} from './access-keys.ts';
export { fitsSecret, readKeyToken } from './key-token.ts';
export type { AuditLog, AuditRecord } from './audit-log.ts';
export type {
  Applied,
  AppliedManifest,
  Apply,
  ApplyOptions,
  PlanOptions,
  CodeOrigin,
  DefinitionsRegistry,
  ObjectVersion,
} from './definitions/definitions-registry.ts';
export { collectDefinitions } from './definitions/collect-definitions.ts';
export type { Refusal } from './definitions/refusals.ts';
export { refuseOtherProject } from './definitions/definitions-registry.ts';
export type { ObjectKind } from './definitions/objects.ts';
export type { BreakingReason } from './definitions/consequences.ts';
export type { ChangeLine, LineKind } from './definitions/lines/change-line.ts';
export type { Plan, PlanChange } from './definitions/plan.ts';
export type { TrainingSetReader } from './definitions/read-in-use.ts';
export { describeEach, describeTouched, mergeTouched, type Touched } from './definitions/touched.ts';
export type { ViewChange } from './definitions/view-changes.ts';
export { type BucketRange, BUCKETS, baseOf, moveBuckets, widthOf } from './bucket-ranges.ts';
export { rangeMistakes } from './range-mistakes.ts';
export type { LiveExperiment } from './live-experiment.ts';
export { versionsIn } from './traffic-versions.ts';
export type { RegistryDb } from './store.ts';
export type { EndpointState, TrafficOwner } from './endpoint-rows.ts';
export type { EndpointRegistry } from './endpoints.ts';
export { registryRows } from './object-uses.ts';
export { type GraphPin, graphPins, pinnedVersion } from './graph-pins.ts';
export { type VersionTakes, versionTakes } from './version-takes.ts';
export { LATEST, type ModelVersion } from './model-versions.ts';
export type { ModelRegistry, NewModelVersion, RegisteredModel } from './models.ts';
export type { PlainModel, PlainModelRegistry, PlainVersion } from './plain-models.ts';
export { openRegistry, type Registry } from './registry.ts';
export type { AuditEntry } from './store.ts';
export { versionIncomplete } from './versions/refuse-unreadable.ts';
export { readableVersions, type ServedService, type ServiceState, versionsRead } from './versions/served-services.ts';
export {
  LATELY_MICROS,
  type PreparedTraffic,
  type ServedTraffic,
  type ServerRow,
  type Servers,
  type ServerState,
} from './versions/servers.ts';
export { describeNeed, type VersionNeed } from './versions/version-needs.ts';
export type { ViewVersions } from './versions/view-versions.ts';
export type { ViewVersionRow } from './versions/view-version-rows.ts';
export type { Shadow, Traffic, Variant } from './traffic.ts';
export type { TrafficRevision } from './traffic-revision.ts';
export { readTrafficWaits, type TrafficChange, trafficWaitsFor } from './traffic-change.ts';
export type { SetTraffic } from './set-traffic.ts';
