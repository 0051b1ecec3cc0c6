// The events of event-definitions.ts, of which those with a negative x are set apart.

import type { Manifest, SourceSpec } from '../../src/definitions/index.ts';
import { eventManifest } from './event-definitions.ts';

export function checkedEvents(): Manifest {
  const manifest = eventManifest();
  const events: SourceSpec = {
    ...(manifest.sources['events'] as SourceSpec),
    expect: [{ rule: 'between', column: 'x', min: 0, max: null, onFail: 'quarantine' }],
  };
  return { ...manifest, sources: { events } };
}
