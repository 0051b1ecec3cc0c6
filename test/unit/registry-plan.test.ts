import { describe, expect, it } from 'vitest';
import { MICROS_PER_DAY } from '../../src/core/index.ts';
import { type FeatureSpec, type Manifest, type SourceSpec, viewVersion } from '../../src/definitions/index.ts';
import { type InUse, NOTHING_IN_USE } from '../../src/registry/definitions/in-use.ts';
import { keptOf, modelInUse } from '../support/in-use.ts';
import {
  airportDelays,
  flights1d,
  flightsManifest,
  flightsManifestWith,
  lastDelay,
  meanDelay7d,
} from '../support/manifests.ts';
import {
  departure,
  derived,
  flights,
  lateRate,
  lines,
  plan,
  service,
  withFeatures,
  withService,
  withView,
} from '../support/plans.ts';

/** The mean of delays, aggregated otherwise. */
const ofMean = (more: object): FeatureSpec => ({
  ...meanDelay7d,
  aggregation: { ...meanDelay7d.aggregation, ...more } as FeatureSpec['aggregation'],
});
/** Members that give these features of the view alone. */
const reading = (...features: readonly string[]) =>
  service.members.map((member) => (member.kind === 'view' ? { ...member, features } : member));
/** Delays of another type. */
const retyped = ({ columns }: SourceSpec): SourceSpec['columns'] =>
  columns.map((column) => (column.name === 'delay' ? { name: 'delay', type: { kind: 'float32' } } : column));

describe('a plan', () => {
  it('tells who is assigned differently at an endpoint', () => {
    const delay = flightsManifest.endpoints['delay'] as Manifest['endpoints'][string];
    const rules = [{ when: { origin: { $in: ['ATL'] } }, variant: 'stable' }];
    const after = { ...delay, unit: [], rules, holdout: { name: 'held', percent: 2.5 } };
    expect(lines(flightsManifest, { ...flightsManifest, endpoints: { delay: after } })).toEqual([
      'change endpoint delay',
      'meaning: unit: (origin) → each request',
      'meaning: rules: none → stable when {"origin":{"$in":["ATL"]}}',
      'meaning: holdout: none → 2.5 % of "held"',
    ]);
  });

  it.each<[string, Manifest['entities'][string]['keys'], string]>([
    ['type', [{ name: 'airport', type: { kind: 'int64' } }], '(airport: string) → (airport: int64)'],
    ['meaning', [{ name: 'gate', type: { kind: 'string' } }], '(airport: string) → (gate: string)'],
  ])('tells which keys an entity had and which it has: a change of %s', (kind, keys, expected) => {
    const after = { ...flightsManifest, entities: { airport: { name: 'airport', keys } } };
    expect(lines(flightsManifest, after)).toEqual(['change entity airport', `${kind}: keys: ${expected}`]);
  });

  it('tells what an endpoint keeps of its answers, which changes none of them', () => {
    const delay = flightsManifest.endpoints['delay'] as Manifest['endpoints'][string];
    const cached = (ttlMicros: number): Manifest => {
      const cache = { ttlMicros, maxBytes: 2 ** 24, maxEntries: 100_000 };
      return { ...flightsManifest, endpoints: { delay: { ...delay, cache } } };
    };
    expect(lines(flightsManifest, cached(1e7))).toEqual([
      'change endpoint delay',
      'about: cache: none → 10s, 16777216 bytes, 100000 entries',
    ]);
    expect(lines(cached(1e7), cached(6e7))).toEqual([
      'change endpoint delay',
      'about: cache: 10s, 16777216 bytes, 100000 entries → 1m, 16777216 bytes, 100000 entries',
    ]);
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
            ofMean({ op: 'sum', windowMicros: 30 * MICROS_PER_DAY }),
          ],
        },
      },
      onDemandViews: { departure: { ...departure, transform: { ...departure.transform, hash: 'c'.repeat(64) } } },
      services: withService(reading('last_delay', 'mean_delay_7d')).services,
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
    const moved = { ...flights, columns: [...retyped(flights), spare], location: { path: 'elsewhere/*.parquet' } };
    expect(lines(flightsManifest, { ...flightsManifest, sources: { flights: moved } })).toEqual([
      'change source flights',
      'meaning: column "delay": float64 → float32',
      'about: + column "spare": string',
      'place: location.path: "data/flights/*.parquet" → "elsewhere/*.parquet"',
    ]);
  });

  it('counts what a derived column in use reads among the columns in use', () => {
    const [one, ...others] = derived.derive;
    const before = { ...flightsManifestWith([lateRate]), sources: { flights: derived } };
    const bySql = {
      ...one,
      name: 'is_late',
      type: { kind: 'float64' },
      by: { kind: 'sql', sql: 'delay > 15' },
    } as const;
    const source = { ...derived, columns: retyped(derived), derive: [bySql, ...others] };
    const after: Manifest = { ...before, sources: { flights: source } };
    expect(lines(before, after)).toEqual([
      'change source flights',
      'meaning: column "delay": float64 → float32',
      'code: derived column "is_late": code bbbbbbbb → sql "delay > 15"',
    ]);
    const derivedBy = (by: SourceSpec['derive'][number]['by']): Manifest => {
      const first = { ...bySql, by } as SourceSpec['derive'][number];
      return { ...before, sources: { flights: { ...source, derive: [first, ...others] } } };
    };
    const code = (one as SourceSpec['derive'][number]).by;
    const other = JSON.parse(JSON.stringify(code).replaceAll('bbbbbbbb', 'cccccccc'));
    const sql = (text: string) => derivedBy({ kind: 'sql', sql: text });
    expect([
      lines(derivedBy(code), derivedBy(other))[1],
      lines(sql('delay > 15'), derivedBy(code))[1],
      lines(sql('delay > 15'), sql('delay > 20'))[1],
    ]).toEqual([
      'code: derived column "is_late": bbbbbbbb → cccccccc',
      'code: derived column "is_late": sql "delay > 15" → code bbbbbbbb',
      'code: derived column "is_late": sql "delay > 15" → sql "delay > 20"',
    ]);
  });
});

describe('who is touched by a change', () => {
  it('are the versions, endpoints and training sets that read it, and only those', () => {
    const unread = withService(reading('last_delay'));
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
    const of = (op: 'mean' | 'min' | 'max') => withFeatures(lastDelay, flights1d, ofMean({ op }));
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
    const versions = { view: 'airport_delays', before: old, after: next, needsRun: true, answersBefore: true };
    const readers = { services: ['delay_features'], keptFor: [{ model: 'delay_classifier', versions: [1, 2] }] };
    expect(plan(flightsManifest, after, inUse).views).toEqual([{ ...versions, ...readers }]);
  });

  it('need no run where they are kept and complete, as after a rollback', () => {
    const kept = [...keptOf(flightsManifest), ...keptOf(after)];
    expect(plan(flightsManifest, after, { ...NOTHING_IN_USE, kept }).views).toMatchObject([{ needsRun: false }]);
    const filling = [...keptOf(flightsManifest), ...keptOf(after, null)];
    const { views } = plan(flightsManifest, after, { ...NOTHING_IN_USE, kept: filling });
    expect(views).toMatchObject([{ needsRun: true }]);
  });

  it('include those that change by their source alone, and new ones', () => {
    const moved = { ...flightsManifest, sources: { flights: { ...flights, eventTime: 'landed_at' } } };
    const view = 'airport_delays';
    expect(plan(flightsManifest, moved).views).toMatchObject([{ view, before: old, answersBefore: false }]);
    expect(plan(undefined, flightsManifest).views).toMatchObject([{ view, before: null, after: old }]);
  });
});
