// What a feature of a service is made from: two of one origin have the same values, whatever definitions they are of.

import type { Manifest } from './manifest.ts';
import type { ResolvedService, ServiceFeature, ServiceRead, ServiceTransform } from './resolve-service.ts';
import { viewVersion } from './view-version.ts';

/** Plain JSON, to be compared: the view's version and the keys that it is looked up by; a function's code and its inputs. */
export function featureOrigin(manifest: Manifest, service: ResolvedService, feature: ServiceFeature): unknown {
  const readOrigin = (place: number): unknown => {
    const { view, keyColumns } = service.reads[place] as ServiceRead;
    return { version: viewVersion(manifest, view.name), keyColumns };
  };
  const transformOrigin = (place: number): unknown => {
    const { view, inputs } = service.onDemand[place] as ServiceTransform;
    return {
      code: view.transform.hash,
      inputs: inputs.map((input) => {
        if (input.kind === 'request') return { name: input.name, columns: input.columns };
        const of = input.kind === 'read' ? readOrigin(input.read) : transformOrigin(input.transform);
        return { name: input.name, of };
      }),
    };
  };
  const { from, type } = feature;
  if (from.kind === 'onDemand') {
    const { view } = service.onDemand[from.transform] as ServiceTransform;
    return { type, of: transformOrigin(from.transform), feature: view.features[from.feature]?.name };
  }
  // Views of one version may call their features otherwise, and have them in the same order.
  return { type, of: readOrigin(from.read), feature: from.feature };
}
