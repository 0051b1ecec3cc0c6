// What is in use of a registry, as plans take it: made by hand, for tests of what is pure.

import { type Manifest, viewVersion } from '../../src/definitions/index.ts';
import { type InUse, NOTHING_IN_USE } from '../../src/registry/definitions/in-use.ts';
import { flightsManifest } from './manifests.ts';

/** Versions of `delay_classifier` that were trained on `manifest`, and endpoint `delay` with traffic to the last of them. */
export function modelInUse(manifest: Manifest = flightsManifest, ...versions: readonly number[]): InUse {
  const all = versions.length === 0 ? [1] : versions;
  const model = 'delay_classifier';
  return {
    ...NOTHING_IN_USE,
    models: all.map((version) => ({ model, version, service: 'delay_features', manifest })),
    endpoints: [{ endpoint: 'delay', model, versions: all.slice(-1) }],
  };
}

/** Every view of the manifest is kept in its version, and complete. */
export function keptOf(manifest: Manifest, completedMicros: number | null = 0): InUse['kept'] {
  return Object.keys(manifest.views).map((view) => ({
    version: viewVersion(manifest, view),
    view,
    manifestHash: '',
    epoch: 1,
    addedMicros: 0,
    completedMicros,
    unreadSinceMicros: null,
  }));
}
