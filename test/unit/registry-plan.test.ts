import { describe, expect, it } from 'vitest';
import type { Manifest, ServiceSpec } from '../../src/definitions/index.ts';
import type { InUse } from '../../src/registry/definitions/in-use.ts';
import { makePlan } from '../../src/registry/definitions/plan.ts';
import { airportDelays, delayModel, flightsManifest, flightsManifestWith, lastDelay } from '../support/manifests.ts';

const nothingInUse: InUse = { endpointsWithTraffic: new Set(), modelVersions: new Map() };
const inUse: InUse = { endpointsWithTraffic: new Set(['delay']), modelVersions: new Map([['delay_classifier', 2]]) };

const breaking = (after: Manifest, use = nothingInUse, before = flightsManifest): string[] =>
  makePlan(before, after, 1, use).breaking.map(({ object, name, breaking: why }) => `${object} ${name}: ${why}`);

const service: ServiceSpec = flightsManifest.services['delay_features'] ?? { name: '', members: [] };
const onlyDeparture: ServiceSpec = {
  ...service,
  members: service.members.filter((member) => member.kind === 'onDemand'),
};

describe('a plan', () => {
  it('of equal manifests is empty', () => {
    expect(makePlan(flightsManifest, structuredClone(flightsManifest), 3, inUse)).toEqual({
      baseRevision: 3,
      changes: [],
      breaking: [],
    });
  });

  it('blames the view when it goes, with every feature that an endpoint loses', () => {
    const after = { ...flightsManifest, views: {}, services: { delay_features: onlyDeparture } };
    const [first, ...rest] = breaking(after);
    expect(rest).toEqual([]);
    expect(first).toMatch(/^view airport_delays: .*origin__last_delay.*origin__flights_1d.*origin__mean_delay_7d/);
  });

  it('blames the service when only it drops a feature', () => {
    const [first] = breaking({ ...flightsManifest, services: { delay_features: onlyDeparture } });
    expect(first).toMatch(/^service delay_features: endpoint "delay" uses feature "origin__last_delay"/);
  });

  it('blames the model when it turns to a service without the feature', () => {
    const after = {
      ...flightsManifest,
      services: { ...flightsManifest.services, departure_only: { ...onlyDeparture, name: 'departure_only' } },
      models: { delay_classifier: { ...delayModel, service: 'departure_only' } },
    };
    expect(breaking(after)[0]).toMatch(/^service departure_only|^model delay_classifier/);
  });

  it('finds a lost or retyped output of an endpoint breaking', () => {
    const withOutputs = (outputs: typeof delayModel.outputs): Manifest => ({
      ...flightsManifest,
      models: { delay_classifier: { ...delayModel, outputs } },
    });
    expect(breaking(withOutputs([{ name: 'score', type: { kind: 'float32' } }]))).toEqual([
      'model delay_classifier: endpoint "delay" answers with output "probability", which is removed',
    ]);
    expect(breaking(withOutputs([{ name: 'probability', type: { kind: 'string' } }]))).toEqual([
      'model delay_classifier: output "probability" of endpoint "delay" changes type from float32 to string',
    ]);
  });

  it('lets everything go that nothing uses', () => {
    const before = { ...flightsManifest, endpoints: {} };
    const after = { ...before, views: {}, services: {}, models: {}, onDemandViews: {}, entities: {}, sources: {} };
    expect(breaking(after, nothingInUse, before)).toEqual([]);
    expect(breaking(after, inUse, before)).toEqual(['model delay_classifier: it has 2 registered versions']);
  });

  it('takes a new TTL, another aggregation of the same type, a new description without complaint', () => {
    const after = flightsManifestWith(
      airportDelays.features.map((feature) => ({ ...lastDelay, ...feature, description: 'x' })),
    );
    const shorter = {
      ...after,
      views: { airport_delays: { ...airportDelays, ...after.views['airport_delays'], ttlMicros: 1 } },
    };
    expect(makePlan(flightsManifest, shorter, 1, inUse).changes.map((change) => change.name)).toEqual([
      'airport_delays',
    ]);
    expect(breaking(shorter, inUse)).toEqual([]);
  });
});
