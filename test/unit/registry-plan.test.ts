import { describe, expect, it } from 'vitest';
import { MICROS_PER_DAY } from '../../src/core/index.ts';
import {
  type FeatureSpec,
  type Manifest,
  own,
  type ServiceSpec,
  type SourceSpec,
  type ViewSpec,
  viewVersion,
} from '../../src/definitions/index.ts';
import { type InUse, NOTHING_IN_USE } from '../../src/registry/definitions/in-use.ts';
import { makePlan, type PlanChange } from '../../src/registry/definitions/plan.ts';
import { withStoredNames } from '../../src/registry/definitions/stored-names.ts';
import { keptOf, modelInUse } from '../support/in-use.ts';
import {
  airportDelays,
  delayModel,
  flights1d,
  flightsManifest,
  flightsManifestWith,
  lastDelay,
  meanDelay7d,
} from '../support/manifests.ts';

const spec = <T>(specs: Readonly<Record<string, T>>, name: string): T => {
  const found = own(specs, name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
};
const flights = spec(flightsManifest.sources, 'flights');
const service = spec(flightsManifest.services, 'delay_features');
const departure = spec(flightsManifest.onDemandViews, 'departure');
const derived: SourceSpec = {
  ...flights,
  derive: [
    {
      name: 'is_late',
      type: { kind: 'float64' },
      by: {
        kind: 'function',
        function: { id: 'source/flights/derive/is_late', hash: 'b'.repeat(64), reads: ['delay'] },
      },
    },
  ],
};

const withView = (more: Partial<ViewSpec>, manifest = flightsManifest): Manifest => ({
  ...manifest,
  views: { airport_delays: { ...airportDelays, ...more } },
});
const withFeatures = (...features: readonly FeatureSpec[]) => withView({ features });
const withService = (members: ServiceSpec['members'], manifest = flightsManifest): Manifest => ({
  ...manifest,
  services: { delay_features: { ...service, members } },
});
const lateRate: FeatureSpec = {
  name: 'late_rate_7d',
  type: { kind: 'float64' },
  aggregation: { op: 'mean', column: 'is_late', windowMicros: 7 * MICROS_PER_DAY, hopMicros: 3_600_000_000 },
};
const lateFlights: Manifest = { ...flightsManifestWith([lastDelay, lateRate]), sources: { flights: derived } };

const plan = (before: Manifest | undefined, after: Manifest, inUse: InUse = NOTHING_IN_USE) =>
  makePlan(before, withStoredNames(before, after), 1, inUse);
const told = ({ kind, object, name, lines }: PlanChange): string[] => [
  `${kind} ${object} ${name}`,
  ...lines.map((line) => `${line.kind}: ${line.text}`),
];
const lines = (before: Manifest, after: Manifest): string[] => plan(before, after).changes.flatMap(told);
const breaking = (after: Manifest, inUse: InUse = modelInUse(), before = flightsManifest): string[] =>
  plan(before, after, inUse).breaking.map(({ object, name, breaking: why }) => `${object} ${name}: ${why}`);

const GO_ON = 'it goes on getting what it was registered with';
const MODEL = `model delay_classifier version 1 (${GO_ON}), endpoint delay`;

describe('a plan', () => {
  it('of equal manifests is empty', () => {
    const nothing = { baseRevision: 1, changes: [], breaking: [], views: [] };
    expect(plan(flightsManifest, structuredClone(flightsManifest), modelInUse())).toEqual(nothing);
  });

  it('tells nothing of another bundle of the same code', () => {
    const bundled = (bundle: string): Manifest => ({
      ...flightsManifest,
      onDemandViews: { departure: { ...departure, transform: { ...departure.transform, bundle } } },
    });
    expect(plan(bundled('c'.repeat(64)), bundled('d'.repeat(64)), modelInUse()).changes).toEqual([]);
    expect(plan(flightsManifest, bundled('d'.repeat(64))).changes).toEqual([]);
  });

  it('tells types, meanings and code apart, and what changes nothing', () => {
    const after: Manifest = {
      ...flightsManifest,
      views: {
        airport_delays: {
          ...airportDelays,
          ttlMicros: null,
          description: 'Delays',
          freshness: { kind: 'scheduled', everyMicros: 3_600_000_000, lagMicros: 0 },
          features: [
            { ...lastDelay, type: { kind: 'int64' } },
            {
              ...meanDelay7d,
              aggregation: {
                ...meanDelay7d.aggregation,
                op: 'sum',
                windowMicros: 30 * MICROS_PER_DAY,
              } as FeatureSpec['aggregation'],
            },
          ],
        },
      },
      onDemandViews: { departure: { ...departure, transform: { ...departure.transform, hash: 'c'.repeat(64) } } },
      services: {
        delay_features: {
          ...service,
          members: service.members.map((member) =>
            member.kind === 'view' ? { ...member, features: ['last_delay', 'mean_delay_7d'] } : member,
          ),
        },
      },
    };
    expect(lines(flightsManifest, after)).toEqual([
      'change view airport_delays',
      'meaning: ttl: 30d → for ever',
      'meaning: freshness: live → every 1h, lag 0s',
      'type: feature "last_delay": float64 → int64',
      'meaning: - feature "flights_1d": count() over 1d, int64',
      'meaning: feature "mean_delay_7d": mean(delay) over 7d → sum(delay) over 30d, hop 1h',
      'about: description: + "Delays"',
      'change onDemandView departure',
      'code: transform: aaaaaaaa → cccccccc',
      'change service delay_features',
      'meaning: member "origin": - flights_1d',
    ]);
  });

  it('tells a source’s columns by whether a feature uses them', () => {
    const spare = { name: 'spare', type: { kind: 'string' } } as const;
    const retyped = flights.columns.map((column) =>
      column.name === 'delay' ? ({ name: 'delay', type: { kind: 'float32' } } as const) : column,
    );
    const after = {
      ...flightsManifest,
      sources: { flights: { ...flights, columns: [...retyped, spare], location: { path: 'elsewhere/*.parquet' } } },
    };
    expect(lines(flightsManifest, after)).toEqual([
      'change source flights',
      'meaning: column "delay": float64 → float32',
      'about: + column "spare": string',
      'place: location.path: "data/flights/*.parquet" → "elsewhere/*.parquet"',
    ]);
  });

  it('counts what a derived column in use reads among the columns in use', () => {
    const [one, ...others] = derived.derive;
    const retyped = derived.columns.map((column) =>
      column.name === 'delay' ? ({ name: 'delay', type: { kind: 'float32' } } as const) : column,
    );
    const before = { ...flightsManifestWith([lateRate]), sources: { flights: derived } };
    const after: Manifest = {
      ...before,
      sources: {
        flights: {
          ...derived,
          columns: retyped,
          derive: [
            { ...one, name: 'is_late', type: { kind: 'float64' }, by: { kind: 'sql', sql: 'delay > 15' } },
            ...others,
          ],
        },
      },
    };
    expect(lines(before, after)).toEqual([
      'change source flights',
      'meaning: column "delay": float64 → float32',
      'code: derived column "is_late": code bbbbbbbb → sql "delay > 15"',
    ]);
  });
});

describe('a rename', () => {
  const renamed: Manifest = {
    ...flightsManifest,
    entities: {
      field: { name: 'field', renamedFrom: 'airport', keys: spec(flightsManifest.entities, 'airport').keys },
    },
    views: {
      lateness: {
        ...airportDelays,
        name: 'lateness',
        renamedFrom: 'airport_delays',
        entity: 'field',
        features: [{ ...lastDelay, name: 'newest_delay', renamedFrom: 'last_delay' }, flights1d, meanDelay7d],
      },
    },
    services: {
      delay_features: {
        ...service,
        members: service.members.map((member) =>
          member.kind === 'view'
            ? { ...member, view: 'lateness', features: ['newest_delay', 'flights_1d', 'mean_delay_7d'] }
            : member,
        ),
      },
    },
  };

  it('is told as one, fills no view and breaks nothing', () => {
    const {
      changes,
      breaking: broken,
      views,
    } = plan(flightsManifest, renamed, { ...modelInUse(), kept: keptOf(flightsManifest) });
    expect(changes.map(({ former, ...change }) => [former, ...told({ former, ...change })])).toEqual([
      ['airport', 'rename entity field'],
      ['airport_delays', 'rename view lateness', 'name: feature "last_delay" is called "newest_delay" now'],
      [null, 'change service delay_features', 'name: member "origin": last_delay is called newest_delay now'],
    ]);
    expect(changes.map(({ touched }) => touched)).toEqual([[], [], []]);
    expect(broken).toEqual([]);
    expect(views).toEqual([]);
  });

  it('is told when it is taken back, and when renamedFrom is dropped', () => {
    const applied = withStoredNames(flightsManifest, renamed);
    expect(plan(applied, flightsManifest).changes.map(told)).toEqual([
      ['rename entity airport'],
      ['rename view airport_delays', 'name: feature "newest_delay" is called "last_delay" now'],
      ['change service delay_features', 'name: member "origin": newest_delay is called last_delay now'],
    ]);
    const { renamedFrom: _, ...bare } = spec(renamed.entities, 'field');
    expect(lines(applied, { ...renamed, entities: { field: bare } })).toEqual([
      'change entity field',
      'about: renamedFrom: - "airport"',
    ]);
  });

  it('of a role is none: its full names go', () => {
    const members = service.members.map((member) => (member.kind === 'view' ? { ...member, role: 'start' } : member));
    expect(breaking(withService(members))).toEqual([
      `service delay_features: origin__last_delay, origin__flights_1d, origin__mean_delay_7d go: ${MODEL}`,
    ]);
  });

  it('is followed where a view gives features its own name, from what a version was made of on', () => {
    const byName = (manifest: Manifest, view: string): Manifest => ({
      ...manifest,
      services: {
        delay_features: {
          ...service,
          members: spec(manifest.services, 'delay_features').members.map((member) =>
            member.kind === 'view' ? { ...member, role: view } : member,
          ),
        },
      },
    });
    const before = byName(flightsManifest, 'airport_delays');
    const applied = withStoredNames(before, byName(renamed, 'lateness'));
    expect(breaking(applied, modelInUse(before), before)).toEqual([]);
    const later = { ...applied, views: { lateness: { ...spec(applied.views, 'lateness'), ttlMicros: 1 } } };
    expect(breaking(later, modelInUse(before), applied)).toEqual([
      `view lateness: airport_delays__last_delay changes meaning: ${MODEL}`,
    ]);
  });

  it('hides no change of meaning', () => {
    const window = { ...meanDelay7d.aggregation, windowMicros: 14 * MICROS_PER_DAY } as FeatureSpec['aggregation'];
    const features = [
      { ...lastDelay, name: 'newest_delay', renamedFrom: 'last_delay' },
      flights1d,
      { ...meanDelay7d, aggregation: window },
    ];
    const after = { ...renamed, views: { lateness: { ...spec(renamed.views, 'lateness'), features } } };
    expect(breaking(after)).toEqual([`view lateness: origin__mean_delay_7d changes meaning: ${MODEL}`]);
  });
});

describe('a change is breaking where something in use reads', () => {
  const wider: FeatureSpec = {
    ...meanDelay7d,
    aggregation: { op: 'mean', column: 'delay', windowMicros: 14 * MICROS_PER_DAY, hopMicros: 3_600_000_000 },
  };

  it.each<[string, Manifest, string, Manifest?]>([
    [
      'a feature that gets another window',
      withFeatures(lastDelay, flights1d, wider),
      'view airport_delays: origin__mean_delay_7d changes meaning',
    ],
    [
      'a feature that gets another type',
      withFeatures(lastDelay, { ...flights1d, type: { kind: 'int32' } }, meanDelay7d),
      'view airport_delays: origin__flights_1d changes type',
    ],
    [
      'a feature that gets another default',
      withFeatures(lastDelay, flights1d, { ...meanDelay7d, default: 0 }),
      'view airport_delays: origin__mean_delay_7d changes meaning',
    ],
    [
      'the newest row’s value, with another ttl',
      withView({ ttlMicros: MICROS_PER_DAY }),
      'view airport_delays: origin__last_delay changes meaning',
    ],
    [
      'a view that is computed at other times',
      withView({ freshness: { kind: 'scheduled', everyMicros: 60_000_000, lagMicros: 0 } }),
      'view airport_delays: origin__last_delay, origin__flights_1d, origin__mean_delay_7d change meaning',
    ],
    [
      'a view by another column',
      withView({ keyColumns: ['delay'] }),
      'view airport_delays: origin__last_delay, origin__flights_1d, origin__mean_delay_7d change meaning',
    ],
    [
      'a feature for another column of the request',
      withService(
        service.members.map((member) => (member.kind === 'view' ? { ...member, keyColumns: ['destination'] } : member)),
      ),
      'service delay_features: origin__last_delay, origin__flights_1d, origin__mean_delay_7d change meaning',
    ],
    [
      'an entity’s keys',
      {
        ...flightsManifest,
        entities: { airport: { name: 'airport', keys: [{ name: 'airport', type: { kind: 'int64' } }] } },
      },
      'entity airport: origin__last_delay, origin__flights_1d, origin__mean_delay_7d change meaning',
    ],
    [
      'a source’s times',
      { ...flightsManifest, sources: { flights: { ...flights, eventTime: 'landed_at' } } },
      'source flights: origin__last_delay, origin__flights_1d, origin__mean_delay_7d change meaning',
    ],
    [
      'a column’s type',
      {
        ...flightsManifest,
        sources: {
          flights: {
            ...flights,
            columns: flights.columns.map((column) =>
              column.name === 'delay' ? { ...column, type: { kind: 'float32' as const } } : column,
            ),
          },
        },
      },
      'source flights: origin__last_delay, origin__mean_delay_7d change meaning',
    ],
    [
      'a transform',
      {
        ...flightsManifest,
        onDemandViews: { departure: { ...departure, transform: { ...departure.transform, hash: 'c'.repeat(64) } } },
      },
      'onDemandView departure: departure__hour changes code',
    ],
    [
      'a derive function',
      {
        ...lateFlights,
        sources: {
          flights: {
            ...derived,
            derive: derived.derive.map((one) => ({
              ...one,
              by: {
                kind: 'function' as const,
                function: { id: 'source/flights/derive/is_late', hash: 'c'.repeat(64), reads: ['delay'] },
              },
            })),
          },
        },
      },
      'source flights: origin__late_rate_7d changes code',
      lateFlights,
    ],
  ])('%s', (_, after, expected, before = flightsManifest) => {
    expect(breaking(after, modelInUse(before), before)).toEqual([`${expected}: ${MODEL}`]);
    expect(breaking(after, NOTHING_IN_USE, before)).toEqual([]);
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
    const same = {
      ...turned,
      services: { ...turned.services, departure_only: { ...service, name: 'departure_only' } },
    };
    expect(breaking(same)).toEqual([]);
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
    const more = {
      ...before,
      views: withFeatures(lastDelay, flights1d, meanDelay7d, { ...wider, name: 'mean_14d' }).views,
    };
    expect(breaking(more, modelInUse(before), before)).toEqual([]);
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
    const elsewhere = reading().onDemandViews['departure'];
    if (elsewhere === undefined) throw new Error('it was made so');
    const moved = {
      ...reading(),
      onDemandViews: {
        departure: { ...elsewhere, inputs: [...departure.inputs, { ...input, keyColumns: ['destination'] }] },
      },
    };
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
    const outputs = (...names: string[]): Manifest => ({
      ...flightsManifest,
      models: {
        delay_classifier: { ...delayModel, outputs: names.map((name) => ({ name, type: { kind: 'string' } })) },
      },
    });
    expect(breaking({ ...flightsManifest, endpoints: {} })).toEqual([
      'endpoint delay: it goes, with traffic on it: endpoint delay (its requests are refused then)',
    ]);
    expect(breaking(withEndpoint({ model: 'other' }))).toEqual([
      'endpoint delay: its model changes from "delay_classifier" to "other": endpoint delay (its traffic ends, and has to be set anew)',
    ]);
    expect(breaking(withEndpoint({ unit: ['origin', 'scheduled_at'] }))).toEqual([
      'endpoint delay: its unit changes from (origin) to (origin, scheduled_at): endpoint delay (who met one variant may meet another)',
    ]);
    expect(breaking(outputs('score'))).toEqual([
      'model delay_classifier: output "probability" goes: endpoint delay (what is registered goes on giving it)',
    ]);
    expect(breaking(outputs('probability', 'more'))).toEqual([
      'model delay_classifier: output "probability" changes type float32 → string: endpoint delay (what is registered goes on giving it)',
    ]);
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
  it('where it is of what nobody reads, or adds something', () => {
    const unread = withService(
      service.members.map((member) => (member.kind === 'view' ? { ...member, features: ['last_delay'] } : member)),
    );
    const inUse = modelInUse(unread);
    const removed = { ...unread, views: withFeatures(lastDelay).views };
    const retyped = {
      ...unread,
      views: withFeatures(lastDelay, { ...flights1d, type: { kind: 'int32' } }, meanDelay7d).views,
    };
    const spare: Manifest = {
      ...unread,
      sources: { flights: { ...flights, columns: [...flights.columns, { name: 'spare', type: { kind: 'bool' } }] } },
    };
    for (const after of [removed, retyped, spare, flightsManifest]) {
      const { changes, breaking: broken } = plan(unread, after, inUse);
      expect(changes.length).toBeGreaterThan(0);
      expect(broken).toEqual([]);
      expect(changes.flatMap(({ touched }) => touched)).toEqual([]);
    }
  });

  it('for a version that was made of what it becomes again, and for one that never had it', () => {
    const changed = flightsManifestWith([
      lastDelay,
      flights1d,
      { ...meanDelay7d, aggregation: { ...meanDelay7d.aggregation, op: 'min' } as FeatureSpec['aggregation'] },
    ]);
    const both: InUse = {
      ...NOTHING_IN_USE,
      models: [
        ...modelInUse(flightsManifest, 1).models,
        ...modelInUse(changed, 2).models,
        ...modelInUse(flightsManifestWith([lastDelay]), 3).models,
      ],
    };
    expect(breaking(flightsManifest, both, changed)).toEqual([
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

describe('who is touched by a change', () => {
  it('are the versions, endpoints and training sets that read it, and only those', () => {
    const unread = withService(
      service.members.map((member) => (member.kind === 'view' ? { ...member, features: ['last_delay'] } : member)),
    );
    const set = { service: 'delay_features', manifest: flightsManifest };
    const inUse: InUse = {
      models: [
        ...modelInUse(flightsManifest, 2, 3).models,
        { model: 'other', version: 1, service: 'delay_features', manifest: unread },
      ],
      endpoints: [
        { endpoint: 'delay', model: 'delay_classifier', versions: [3] },
        { endpoint: 'more', model: 'other', versions: [1] },
      ],
      trainingSets: [
        { ...set, id: 'ab12cd34ef', name: 'march' },
        { ...set, id: 'ffff0000aa', name: null, manifest: unread },
      ],
      kept: [],
    };
    const after = withFeatures(lastDelay, flights1d, { ...meanDelay7d, type: { kind: 'float32' } });
    const [change] = plan(flightsManifest, after, inUse).changes;
    const features = ['origin__mean_delay_7d'];
    expect(change?.touched).toEqual([
      { kind: 'model', model: 'delay_classifier', versions: [2, 3], features },
      { kind: 'endpoint', endpoint: 'delay', features },
      { kind: 'training_set', id: 'ab12cd34ef', name: 'march', features },
    ]);
    expect(change?.breaking).toBe(
      'origin__mean_delay_7d changes type: model delay_classifier versions 2, 3 (they go on getting what they were registered with), endpoint delay, training set ab12cd34 "march"',
    );
    const [alone] = plan(flightsManifest, after, { ...inUse, models: [], endpoints: [] }).changes;
    expect(alone).toMatchObject({ breaking: null, touched: [{ id: 'ab12cd34ef' }] });
  });

  it('are of training sets those alone that were made of what is applied', () => {
    const of = (op: 'mean' | 'min' | 'max') =>
      withFeatures(lastDelay, flights1d, {
        ...meanDelay7d,
        aggregation: { ...meanDelay7d.aggregation, op } as FeatureSpec['aggregation'],
      });
    const set = { service: 'delay_features', name: null };
    const trainingSets = [
      { ...set, id: 'old', manifest: of('mean') },
      { ...set, id: 'new', manifest: of('min') },
    ];
    const { changes } = plan(of('min'), of('max'), { ...NOTHING_IN_USE, trainingSets });
    expect(changes.flatMap(({ touched }) => touched)).toMatchObject([{ id: 'new' }]);
  });
});

describe('the views that get another version', () => {
  const after = withView({ ttlMicros: MICROS_PER_DAY });
  const [old, next] = [viewVersion(flightsManifest, 'airport_delays'), viewVersion(after, 'airport_delays')];

  it('are told with what answers until a run has filled them, and for whom the old one stays', () => {
    const inUse = { ...modelInUse(flightsManifest, 1, 2), kept: keptOf(flightsManifest) };
    expect(plan(flightsManifest, after, inUse).views).toEqual([
      {
        view: 'airport_delays',
        before: old,
        after: next,
        needsRun: true,
        answersBefore: true,
        services: ['delay_features'],
        keptFor: [{ model: 'delay_classifier', versions: [1, 2] }],
      },
    ]);
  });

  it('need no run where they are kept and complete, as after a rollback', () => {
    const kept = [...keptOf(flightsManifest), ...keptOf(after)];
    expect(plan(flightsManifest, after, { ...NOTHING_IN_USE, kept }).views).toMatchObject([{ needsRun: false }]);
    const filling = [...keptOf(flightsManifest), ...keptOf(after, null)];
    expect(plan(flightsManifest, after, { ...NOTHING_IN_USE, kept: filling }).views).toMatchObject([
      { needsRun: true },
    ]);
  });

  it('include those that change by their source alone, and new ones', () => {
    const moved = { ...flightsManifest, sources: { flights: { ...flights, eventTime: 'landed_at' } } };
    expect(plan(flightsManifest, moved).views).toMatchObject([
      { view: 'airport_delays', before: old, answersBefore: false },
    ]);
    expect(plan(undefined, flightsManifest).views).toMatchObject([
      { view: 'airport_delays', before: null, after: old },
    ]);
  });

  it('are none where only names, descriptions or unused columns change', () => {
    const described = withView({ description: 'x', owner: 'ops', tags: { a: 'b' } });
    const spare: Manifest = {
      ...flightsManifest,
      sources: { flights: { ...flights, columns: [...flights.columns, { name: 'spare', type: { kind: 'bool' } }] } },
    };
    for (const same of [described, spare]) expect(plan(flightsManifest, same).views).toEqual([]);
  });
});
