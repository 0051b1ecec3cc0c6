// Renames in a plan: what is told of them, what they keep.

import { describe, expect, it } from 'vitest';
import { MICROS_PER_DAY } from '../../src/core/index.ts';
import { type FeatureSpec, type Manifest } from '../../src/definitions/index.ts';
import { NOTHING_IN_USE } from '../../src/registry/definitions/in-use.ts';
import { withStoredNames } from '../../src/registry/definitions/stored-names.ts';
import { keptOf, modelInUse } from '../support/in-use.ts';
import { airportDelays, flights1d, flightsManifest, lastDelay, meanDelay7d } from '../support/manifests.ts';
import { breaking, departure, lines, MODEL, plan, service, spec, told, withService } from '../support/plans.ts';

const keys = spec(flightsManifest.entities, 'airport').keys;
const newest = { ...lastDelay, name: 'newest_delay', renamedFrom: 'last_delay' };
const lateness = {
  ...airportDelays,
  name: 'lateness',
  renamedFrom: 'airport_delays',
  entity: 'field',
  features: [newest, flights1d, meanDelay7d],
};
const moved = { view: 'lateness', features: ['newest_delay', 'flights_1d', 'mean_delay_7d'] };
const members = (more: object, of = service) =>
  of.members.map((member) => (member.kind === 'view' ? { ...member, ...more } : member));
const renamed: Manifest = {
  ...flightsManifest,
  entities: { field: { name: 'field', renamedFrom: 'airport', keys } },
  views: { lateness },
  services: { delay_features: { ...service, members: members(moved) } },
};

describe('a rename', () => {
  it('is told as one, fills no view and breaks nothing', () => {
    const { changes, ...rest } = plan(flightsManifest, renamed, { ...modelInUse(), kept: keptOf(flightsManifest) });
    expect(changes.flatMap((change) => [`of ${change.former}`, ...told(change)])).toEqual([
      'of airport',
      'rename entity field',
      'of airport_delays',
      'rename view lateness',
      'name: entity "airport" is called "field" now',
      'name: feature "last_delay" is called "newest_delay" now',
      'of null',
      'change service delay_features',
      'name: member "origin": last_delay is called newest_delay now',
    ]);
    expect(changes.map(({ touched }) => touched)).toEqual([[], [], []]);
    expect(rest).toMatchObject({ breaking: [], views: [] });
  });

  it('is told when it is taken back, and when renamedFrom is dropped', () => {
    const applied = withStoredNames(flightsManifest, renamed);
    expect(lines(applied, flightsManifest)).toEqual([
      'rename entity airport',
      'rename view airport_delays',
      'name: entity "field" is called "airport" now',
      'name: feature "newest_delay" is called "last_delay" now',
      'change service delay_features',
      'name: member "origin": newest_delay is called last_delay now',
    ]);
    const { renamedFrom: _, ...bare } = spec(renamed.entities, 'field');
    expect(lines(applied, { ...renamed, entities: { field: bare } })).toEqual([
      'change entity field',
      'about: renamedFrom: - "airport"',
    ]);
  });

  it('is told where an on-demand view takes what is renamed', () => {
    const input = { kind: 'view', name: 'origin', keyColumns: ['origin'] } as const;
    const taking = (view: string, manifest: Manifest): Manifest => ({
      ...manifest,
      onDemandViews: { departure: { ...departure, inputs: [{ ...input, view }] } },
    });
    const [before, after] = [taking('airport_delays', flightsManifest), taking('lateness', renamed)];
    expect(lines(before, after)).toContain('name: input "origin": "airport_delays" is called "lateness" now');
    for (const change of plan(before, after).changes)
      if (change.kind === 'change') expect(change.lines).not.toEqual([]);
  });

  it('of a role is none: its full names go', () => {
    expect(breaking(withService(members({ role: 'start' })))).toEqual([
      `service delay_features: origin__last_delay, origin__flights_1d, origin__mean_delay_7d go: ${MODEL}`,
    ]);
  });

  it('is followed where a view gives features its own name, from what a version was made of on', () => {
    const byName = (manifest: Manifest, role: string) =>
      withService(members({ role }, spec(manifest.services, 'delay_features')), manifest);
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
    const features = [newest, flights1d, { ...meanDelay7d, aggregation: window }];
    const after = { ...renamed, views: { lateness: { ...spec(renamed.views, 'lateness'), features } } };
    expect(breaking(after)).toEqual([`view lateness: origin__mean_delay_7d changes meaning: ${MODEL}`]);
  });
});

describe('a new object of a name that one which was renamed still has its data under', () => {
  const first = withStoredNames(flightsManifest, renamed);
  const withNew: Manifest = {
    ...renamed,
    entities: { ...renamed.entities, airport: spec(flightsManifest.entities, 'airport') },
    views: { ...renamed.views, airport_delays: airportDelays },
  };

  it('has its data under a name of its own, however alike they are', () => {
    const { views, entities } = withStoredNames(first, withNew);
    expect(spec(views, 'lateness')).toMatchObject({ storedAs: 'airport_delays' });
    expect(spec(views, 'airport_delays')).toMatchObject({ storedAs: 'airport_delays__2' });
    expect(spec(entities, 'field')).toMatchObject({ storedAs: 'airport' });
    expect(spec(entities, 'airport')).toMatchObject({ storedAs: 'airport__2' });
  });

  it('keeps it from then on, as does one more', () => {
    const second = withStoredNames(first, withNew);
    expect(withStoredNames(second, withNew)).toEqual(second);
    const { airport_delays: _, ...views } = withNew.views;
    const moved: Manifest = {
      ...withNew,
      views: { ...views, punctual: { ...airportDelays, name: 'punctual', renamedFrom: 'airport_delays' } },
    };
    const third = withStoredNames(second, moved);
    expect(spec(third.views, 'punctual')).toMatchObject({ storedAs: 'airport_delays__2' });
    const fourth = withStoredNames(third, { ...moved, views: { ...moved.views, airport_delays: airportDelays } });
    expect(spec(fourth.views, 'airport_delays')).toMatchObject({ storedAs: 'airport_delays__3' });
  });

  it('is told as added, and has to be filled', () => {
    const { changes, views } = plan(first, withNew, { ...NOTHING_IN_USE, kept: keptOf(first) });
    const added = changes.map(({ kind, object, name }) => `${kind} ${object} ${name}`);
    expect(added).toEqual(['add entity airport', 'add view airport_delays']);
    expect(views).toMatchObject([{ view: 'airport_delays', before: null, needsRun: true }]);
  });

  it('takes the name itself where the other goes', () => {
    const { lateness: _, ...views } = withNew.views;
    expect(spec(withStoredNames(first, { ...withNew, views }).views, 'airport_delays')).not.toHaveProperty('storedAs');
  });
});
