// The features that a model version reads: those of its service as it was when the version was registered, in that
// order, computed as the applied definitions say. So adding a feature to a service never breaks what is served.

import { HeadraceError } from '../core/index.ts';
import { type Manifest, own, type ResolvedService, resolveService, type ServiceMember } from '../definitions/index.ts';

/**
 * Resolves `service` with its members as of `registered` (the manifest of `ModelVersion.manifestHash`) over the views
 * of `current`. Throws HR_MODEL_SIGNATURE when `current` no longer has one of the features.
 */
export function resolveRegisteredService(current: Manifest, registered: Manifest, service: string): ResolvedService {
  const spec = own(registered.services, service);
  if (spec === undefined) return resolveService(current, service);
  for (const member of spec.members) {
    const has = new Set(featuresOf(current, member).map((feature) => feature.name));
    const lost = member.features.find((feature) => !has.has(feature));
    if (lost === undefined) continue;
    const name = `${member.role}__${lost}`;
    const sentence = `a model version reads feature "${name}", which is no longer defined; register a version without it`;
    throw new HeadraceError('HR_MODEL_SIGNATURE', sentence);
  }
  return resolveService({ ...current, services: { ...current.services, [service]: spec } }, service);
}

function featuresOf(manifest: Manifest, member: ServiceMember): readonly { readonly name: string }[] {
  const views = member.kind === 'view' ? manifest.views : manifest.onDemandViews;
  return own<{ readonly features: readonly { readonly name: string }[] }>(views, member.view)?.features ?? [];
}
