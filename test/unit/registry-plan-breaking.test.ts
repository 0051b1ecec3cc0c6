// Which changes break something in use, and which don't.

import { describe, expect, it } from 'vitest';
import { MICROS_PER_DAY } from '../../src/core/index.ts';
import { type FeatureSpec, type Manifest } from '../../src/definitions/index.ts';
import { NOTHING_IN_USE } from '../../src/registry/definitions/in-use.ts';
import { modelInUse } from '../support/in-use.ts';
import {
  delayModel,
  flights1d,
  flightsManifest,
  flightsManifestWith,
  lastDelay,
  meanDelay7d,
} from '../support/manifests.ts';
import {
  breaking,
  departure,
  GO_ON,
  MODEL,
  service,
  lines,
  spec,
  withFeatures,
  withService,
  withView,
} from '../support/plans.ts';

describe('a change is breaking where something in use reads', () => {
  const wider: FeatureSpec = {
    ...meanDelay7d,
    aggregation: { op: 'mean', column: 'delay', windowMicros: 14 * MICROS_PER_DAY, hopMicros: 3_600_000_000 },
  };

  const view = 'view airport_delays: origin__last_delay, origin__flights_1d, origin__mean_delay_7d change meaning';
  const scheduled = { kind: 'scheduled', everyMicros: 60_000_000, lagMicros: 0 } as const;
  const byDestination = service.members.map((member) =>
    member.kind === 'view' ? { ...member, keyColumns: ['destination'] } : member,
  );
  const whole = { name: 'airport', keys: [{ name: 'airport', type: { kind: 'int64' } }] } as const;
  const changed = { ...departure, transform: { ...departure.transform, hash: 'c'.repeat(64) } };

  // More kinds of changes: test/property/registry-plan.test.ts.
  it.each<[string, Manifest, string]>([
    ['a view that is computed at other times', withView({ freshness: scheduled }), view],
    ['a view by another column', withView({ keyColumns: ['delay'] }), view],
    [
      'a feature for another column of the request',
      withService(byDestination),
      view.replace('view airport_delays', 'service delay_features'),
    ],
    [
      'an entity’s keys',
      { ...flightsManifest, entities: { airport: whole } },
      view.replace('view airport_delays', 'entity airport'),
    ],
    [
      'a transform',
      { ...flightsManifest, onDemandViews: { departure: changed } },
      'onDemandView departure: departure__hour changes code',
    ],
  ])('%s', (_, after, expected) => {
    expect(breaking(after)).toEqual([`${expected}: ${MODEL}`]);
    expect(breaking(after, NOTHING_IN_USE)).toEqual([]);
  });

  it('a feature that goes: with its view, from it, from the service, from the model’s service', () => {
    const onlyDeparture = service.members.filter(({ kind }) => kind === 'onDemand');
    const lost = `origin__last_delay, origin__flights_1d, origin__mean_delay_7d go: ${MODEL}`;
    expect(breaking({ ...withService(onlyDeparture), views: {} })).toEqual([`view airport_delays: ${lost}`]);
    expect(breaking(withService(onlyDeparture))).toEqual([`service delay_features: ${lost}`]);
    expect(breaking(flightsManifestWith([lastDelay, flights1d]))).toEqual([
      `view airport_delays: origin__mean_delay_7d goes: ${MODEL}`,
    ]);
    const turned: Manifest = {
      ...flightsManifest,
      services: { ...flightsManifest.services, departure_only: { name: 'departure_only', members: onlyDeparture } },
      models: { delay_classifier: { ...delayModel, service: 'departure_only' } },
    };
    expect(breaking(turned)).toEqual([expect.stringContaining(lost)]);
    const departureOnly = { ...service, name: 'departure_only' };
    expect(breaking({ ...turned, services: { ...turned.services, departure_only: departureOnly } })).toEqual([]);
  });

  it('a request column that changes its type', () => {
    const columns = [{ name: 'scheduled_at', type: { kind: 'string' } }] as const;
    const after: Manifest = {
      ...flightsManifest,
      onDemandViews: { departure: { ...departure, inputs: [{ kind: 'request', name: 'request', columns }] } },
    };
    expect(breaking(after)).toEqual([
      'onDemandView departure: request column "scheduled_at" changes type timestamp → string: model delay_classifier version 1 (it goes on taking what it was registered with)',
    ]);
  });

  it('a request column that rows could leave out and must carry from now on', () => {
    const asking = (more: object): Manifest => {
      const columns = [{ name: 'scheduled_at', type: { kind: 'timestamp' }, ...more }] as const;
      const inputs = [{ kind: 'request', name: 'request', columns }] as const;
      return { ...flightsManifest, onDemandViews: { departure: { ...departure, inputs } } };
    };
    const [required, optional] = [asking({}), asking({ isOptional: true })];
    const [now, later] = [asking({ default: '2026-01-01T00:00:00Z' }), asking({ default: '2027-01-01T00:00:00Z' })];
    const refused =
      'onDemandView departure: request column "scheduled_at" must be in every row: endpoint delay (rows without it are refused then)';
    const other = `onDemandView departure: departure__hour changes meaning: ${MODEL}`;
    expect(breaking(required, modelInUse(optional), optional)).toEqual([refused]);
    const needed = refused.slice(refused.indexOf('request'));
    expect(breaking(required, modelInUse(now), now)).toEqual([`${other}; ${needed}`]);
    expect(breaking(optional, modelInUse(required), required)).toEqual([]);
    expect(breaking(later, modelInUse(now), now)).toEqual([other]);
    expect(lines(required, optional)).toEqual([
      'change onDemandView departure',
      'meaning: request column "scheduled_at": not optional → optional',
    ]);
  });

  it('a key that rows could leave out, or that stood for another', () => {
    const keyed = (more: object): Manifest => {
      const entity = spec(flightsManifest.entities, 'airport');
      const keys = entity.keys.map((key) => ({ ...key, ...more }));
      return { ...flightsManifest, entities: { airport: { ...entity, keys } } };
    };
    const optional = keyed({ isOptional: true });
    expect(breaking(flightsManifest, modelInUse(optional), optional)).toEqual([
      'entity airport: request column "origin" must be in every row: endpoint delay (rows without it are refused then)',
    ]);
    expect(breaking(optional, modelInUse())).toEqual([]);
    expect(lines(flightsManifest, keyed({ default: 'ATL' }))).toEqual([
      'change entity airport',
      'meaning: key "airport": default none → "ATL"',
    ]);
    const before = keyed({ default: 'ATL' });
    const meaning = /origin__last_delay.* change meaning: model delay_classifier version 1/;
    const found = breaking(keyed({ default: 'ORD' }), modelInUse(before), before);
    expect(found).toEqual([expect.stringMatching(meaning)]);
  });

  it('what an on-demand view takes of a stored one', () => {
    const input = { kind: 'view', name: 'origin', view: 'airport_delays', keyColumns: ['origin'] } as const;
    const before: Manifest = {
      ...withService(service.members.filter(({ kind }) => kind === 'onDemand')),
      onDemandViews: { departure: { ...departure, inputs: [...departure.inputs, input] } },
    };
    const after = { ...before, views: withFeatures(lastDelay, flights1d, wider).views };
    expect(breaking(after, modelInUse(before), before)).toEqual([
      `view airport_delays: departure__hour changes meaning: ${MODEL}`,
    ]);
    // Its code would have to change to read what is added.
    const { views } = withFeatures(lastDelay, flights1d, meanDelay7d, { ...wider, name: 'mean_14d' });
    expect(breaking({ ...before, views }, modelInUse(before), before)).toEqual([]);
  });

  it('what a transform can be seen to read of its inputs, and not the rest', () => {
    const input = { kind: 'view', name: 'origin', view: 'airport_delays', keyColumns: ['origin'] } as const;
    const reading = (...reads: readonly string[]): Manifest => ({
      ...withService(service.members.filter(({ kind }) => kind === 'onDemand')),
      onDemandViews: {
        departure: {
          ...departure,
          inputs: [...departure.inputs, input],
          transform: { ...departure.transform, reads: ['request.scheduled_at', ...reads] },
        },
      },
    });
    const less = withFeatures(lastDelay, flights1d).views;
    for (const [before, isRead] of [
      [reading('origin.mean_delay_7d'), true],
      [reading('origin'), true],
      [reading('origin.last_delay'), false],
      [reading(), false],
    ] as const) {
      const found = breaking({ ...before, views: less }, modelInUse(before), before);
      expect(found).toEqual(isRead ? [`view airport_delays: departure__hour changes meaning: ${MODEL}`] : []);
    }
    const elsewhere = spec(reading().onDemandViews, 'departure');
    const inputs = [...departure.inputs, { ...input, keyColumns: ['destination'] }];
    const moved = { ...reading(), onDemandViews: { departure: { ...elsewhere, inputs } } };
    expect(breaking(moved, modelInUse(reading()), reading())).toEqual([]);
  });

  it('an endpoint with traffic that goes, turns to another model or unit, or answers otherwise', () => {
    const other = { ...delayModel, name: 'other' };
    const endpoint = spec(flightsManifest.endpoints, 'delay');
    const withEndpoint = (more: object): Manifest => ({
      ...flightsManifest,
      models: { ...flightsManifest.models, other },
      endpoints: { delay: { ...endpoint, ...more } },
    });
    const outputs = (...names: string[]): Manifest => {
      const given = names.map((name) => ({ name, type: { kind: 'string' } }) as const);
      return { ...flightsManifest, models: { delay_classifier: { ...delayModel, outputs: given } } };
    };
    const who = 'endpoint delay (who met one variant may meet another)';
    const goes = 'endpoint delay (what is registered goes on giving it)';
    for (const [after, said] of [
      [
        { ...flightsManifest, endpoints: {} },
        'endpoint delay: it goes, with traffic on it: endpoint delay (its requests are refused then)',
      ],
      [
        withEndpoint({ model: 'other' }),
        'endpoint delay: its model changes from "delay_classifier" to "other": endpoint delay (its traffic ends, and has to be set anew)',
      ],
      [
        withEndpoint({ unit: ['origin', 'scheduled_at'] }),
        `endpoint delay: its unit changes from (origin) to (origin, scheduled_at): ${who}`,
      ],
      [withEndpoint({ unit: [] }), `endpoint delay: its unit changes from (origin) to each request: ${who}`],
      [outputs('score'), `model delay_classifier: output "probability" goes: ${goes}`],
      [
        outputs('probability', 'more'),
        `model delay_classifier: output "probability" changes type float32 → string: ${goes}`,
      ],
    ] as const)
      expect(breaking(after)).toEqual([said]);
    expect(breaking(withEndpoint({ whenStoreDown: 'defaults' }))).toEqual([]);
    const noTraffic = { ...modelInUse(), endpoints: [] };
    for (const after of [{ ...flightsManifest, endpoints: {} }, withEndpoint({ model: 'other' }), outputs('score')])
      expect(breaking(after, noTraffic)).toEqual([]);
  });

  it('a model with versions that goes, and nothing besides', () => {
    const before = { ...flightsManifest, endpoints: {} };
    const after = { ...before, views: {}, services: {}, models: {}, onDemandViews: {}, entities: {}, sources: {} };
    expect(breaking(after, NOTHING_IN_USE, before)).toEqual([]);
    const inUse = { ...modelInUse(before, 1, 2), endpoints: [] };
    expect(breaking(after, inUse, before)).toEqual([
      'model delay_classifier: it goes: model delay_classifier versions 1, 2 (nothing can serve them then)',
    ]);
  });
});

describe('a change is not breaking', () => {
  it('for a version that was made of what it becomes again, and for one that never had it', () => {
    const changed = flightsManifestWith([
      lastDelay,
      flights1d,
      { ...meanDelay7d, aggregation: { ...meanDelay7d.aggregation, op: 'min' } as FeatureSpec['aggregation'] },
    ]);
    const models = [flightsManifest, changed, flightsManifestWith([lastDelay])].flatMap(
      (manifest, at) => modelInUse(manifest, at + 1).models,
    );
    expect(breaking(flightsManifest, { ...NOTHING_IN_USE, models }, changed)).toEqual([
      `view airport_delays: origin__mean_delay_7d changes meaning: model delay_classifier version 2 (${GO_ON})`,
    ]);
  });

  it('where what a version reads went with an earlier apply', () => {
    const less = flightsManifestWith([lastDelay]);
    expect(
      breaking({ ...less, views: withFeatures({ ...lastDelay, description: 'x' }).views }, modelInUse(), less),
    ).toEqual([]);
  });
});
