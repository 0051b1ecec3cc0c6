export { bucketOf, bucketOfHash, fnv1a } from './fnv.ts';
export { compileRoutes, routeColumns, type Route, type RoutedArm, routedArms, type Routes, type Via } from './route.ts';
export { isShadowed } from './shadowed.ts';
