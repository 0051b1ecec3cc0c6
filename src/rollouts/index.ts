export { bucketOf, bucketOfHash, fnv1a } from './fnv.ts';
export { endpointFeature, experimentFeature, type GrowthBookFeature, unitAttribute } from './growthbook-feature.ts';
export { compileRoutes, routeColumns, type Route, type RoutedArm, routedArms, type Routes, type Via } from './route.ts';
export { isShadowed } from './shadowed.ts';
