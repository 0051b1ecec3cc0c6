export { createDataPlane, type DataPlane, type OutcomeInput, type Readiness } from './data-plane.ts';
export { compileFeaturePlan, type FeaturePlan } from './feature-plan.ts';
export { createHttpServer, type HttpServerOptions } from './http/create-http-server.ts';
export type { LoggedRequests } from './http/request-log.ts';
export { presentHealth } from './http/health-routes.ts';
export type { LiveStats } from './http/live-stats.ts';
export { type FeatureAnswer, readFeatureRows } from './read-features.ts';
export type { Caller, ServingDeps, ServingLimits } from './serving-deps.ts';
