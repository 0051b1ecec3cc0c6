export { createDataPlane, type DataPlane, type OutcomeInput, type Readiness } from './data-plane.ts';
export { compileFeaturePlan, type FeaturePlan } from './feature-plan.ts';
export { createHttpServer, type HttpServer, type HttpServerOptions, type TlsFiles } from './http/create-http-server.ts';
export { openSecurity, type Security } from './http/security/security.ts';
export type { TokenKey, TokenOptions } from './http/security/token-verifier.ts';
export { presentHealth } from './http/health-routes.ts';
export type { LiveStats } from './http/live-stats.ts';
export { type FeatureAnswer, readFeatureRows } from './read-features.ts';
export type { Caller, ServingDeps, ServingLimits } from './serving-deps.ts';
