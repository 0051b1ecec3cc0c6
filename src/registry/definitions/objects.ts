// The kinds of objects that a manifest holds, and where.

import type { Manifest } from '../../definitions/index.ts';

/** In the order in which a plan shows them: what others build on comes first. */
export const OBJECT_SECTIONS = [
  ['entity', 'entities'],
  ['source', 'sources'],
  ['view', 'views'],
  ['onDemandView', 'onDemandViews'],
  ['service', 'services'],
  ['model', 'models'],
  ['endpoint', 'endpoints'],
  ['pipeline', 'pipelines'],
  ['experiment', 'experiments'],
  ['rollout', 'rollouts'],
] as const satisfies readonly (readonly [string, keyof Manifest])[];

export type ObjectKind = (typeof OBJECT_SECTIONS)[number][0];

/** The objects of a section, by name; none where the manifest leaves it out. */
export function sectionOf(
  manifest: Manifest,
  section: (typeof OBJECT_SECTIONS)[number][1],
): Readonly<Record<string, unknown>> {
  return manifest[section] ?? {};
}
