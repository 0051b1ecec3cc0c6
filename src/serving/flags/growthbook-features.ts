// All flags as GrowthBook's SDKs read them.

import { endpointFeature, experimentFeature, type GrowthBookFeature } from '../../rollouts/index.ts';
import type { Flag } from './flag.ts';

/** By name; an endpoint without traffic has no value. */
export function growthBookFeatures(flags: ReadonlyMap<string, Flag>): Readonly<Record<string, GrowthBookFeature>> {
  return Object.fromEntries(Array.from(flags.values(), (flag) => [flag.name, featureOf(flag)]));
}

function featureOf({ plan: { state, spec }, experiment }: Flag): GrowthBookFeature {
  if (experiment !== null) return experimentFeature(experiment);
  return state.variants.length === 0 ? { defaultValue: null, rules: [] } : endpointFeature(state, spec);
}
