export { assign, type AssignedEndpoint, isShadowed } from './assign.ts';
export { bucketOf, fnv1a } from './fnv.ts';
export { layOut, type WeightedVariant } from './variant-ranges.ts';
