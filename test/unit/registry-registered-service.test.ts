import { describe, expect, it } from 'vitest';
import { resolveService } from '../../src/definitions/index.ts';
import { resolveRegisteredService } from '../../src/registry/index.ts';
import { flights1d, flightsManifestWith, lastDelay, meanDelay7d } from '../support/manifests.ts';

const names = (features: readonly { readonly name: string }[]): string[] => features.map((feature) => feature.name);

describe('the features that a model version reads', () => {
  const registered = flightsManifestWith([lastDelay, meanDelay7d]);

  it('stay those of its registration when the service gains and reorders features', () => {
    const current = flightsManifestWith([flights1d, meanDelay7d, lastDelay]);
    const service = resolveRegisteredService(current, registered, 'delay_features');
    expect(names(service.features)).toEqual(['origin__last_delay', 'origin__mean_delay_7d', 'departure__hour']);
    // Where they lie in the view is the current view's affair.
    expect(service.features[0]?.from).toEqual({ kind: 'read', read: 0, feature: 2 });
    expect(names(service.reads[0]?.view.features ?? [])).toEqual(['flights_1d', 'mean_delay_7d', 'last_delay']);
  });

  it('are the service itself when nothing changed', () => {
    const service = resolveRegisteredService(registered, registered, 'delay_features');
    expect(service).toEqual(resolveService(registered, 'delay_features'));
  });

  it('are named when the definitions lost one', () => {
    const current = flightsManifestWith([lastDelay]);
    expect(() => resolveRegisteredService(current, registered, 'delay_features')).toThrow(/"origin__mean_delay_7d"/);
  });
});
