// A manifest that shares its view's name with `flightsManifest` and little else: most objects change between the two.

import { airportDelays, emptyManifest, flightsManifest, lastDelay } from './manifests.ts';
import type { Manifest } from '../../src/definitions/index.ts';

export const smallManifest: Manifest = {
  ...emptyManifest,
  entities: flightsManifest.entities,
  sources: flightsManifest.sources,
  views: { airport_delays: { ...airportDelays, features: [lastDelay] } },
};
