export type { AuditLog, AuditRecord } from './audit-log.ts';
export type {
  Applied,
  AppliedManifest,
  Apply,
  ApplyOptions,
  DefinitionsRegistry,
  ObjectVersion,
} from './definitions/definitions-registry.ts';
export type { ObjectKind } from './definitions/objects.ts';
export type { Plan, PlanChange } from './definitions/plan.ts';
export type { EndpointRegistry, EndpointState } from './endpoints.ts';
export type { ModelVersion } from './model-versions.ts';
export type { ModelRegistry, NewModelVersion, RegisteredModel } from './models.ts';
export { resolveRegisteredService } from './registered-service.ts';
export { openRegistry, type Registry } from './registry.ts';
export type { AuditEntry } from './store.ts';
export type { Shadow, Traffic, Variant } from './traffic.ts';
