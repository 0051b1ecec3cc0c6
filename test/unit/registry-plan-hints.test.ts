// What a plan makes of an object that goes while one comes that is made alike: the rename that its author may have meant.

import { describe, expect, it } from 'vitest';
import { type Manifest, viewColumns, type ViewSpec } from '../../src/definitions/index.ts';
import { NOTHING_IN_USE } from '../../src/registry/definitions/in-use.ts';
import { modelInUse } from '../support/in-use.ts';
import { airportDelays, flights1d, flightsManifest, lastDelay, meanDelay7d } from '../support/manifests.ts';
import { departure, plan, spec } from '../support/plans.ts';

const hints = (after: Manifest, before = flightsManifest): string[] =>
  plan(before, after).changes.flatMap(({ object, name, hints: all }) =>
    all.map((hint) => `${object} ${name}: ${hint}`),
  );

/** What is told of an object that is made as a former one was. */
const hint = (object: string, name: string, former: string, does = 'keeps its data') =>
  `${object} ${name}: "${name}" is made as "${former}" was: renamedFrom: '${former}' ${does}`;

const NOBODY = { ...flightsManifest, services: {}, models: {}, endpoints: {} };
const withViews = (views: Manifest['views'], more: object = {}): Manifest => ({ ...NOBODY, ...more, views });
const lateness: ViewSpec = { ...airportDelays, name: 'lateness' };
const airport = spec(flightsManifest.entities, 'airport');

describe('a plan hints at a rename', () => {
  it('of a view whose values mean the same', () => {
    expect(hints(withViews({ lateness }))).toEqual([hint('view', 'lateness', 'airport_delays')]);
  });

  it('of an entity by which the same columns are keys, and of the view that is made of it', () => {
    const entities = { field: { ...airport, name: 'field' } };
    expect(hints(withViews({ airport_delays: { ...airportDelays, entity: 'field' } }, { entities }))).toEqual([
      hint('entity', 'field', 'airport'),
    ]);
    expect(hints(withViews({ lateness: { ...lateness, entity: 'field' } }, { entities }))).toEqual([
      hint('entity', 'field', 'airport'),
      hint('view', 'lateness', 'airport_delays'),
    ]);
  });

  it('of a feature of the same aggregation, where its view is renamed, too', () => {
    const features = [{ ...lastDelay, name: 'newest' }, flights1d, meanDelay7d];
    const said = `feature "newest" is made as "last_delay" was: .renamedFrom('last_delay') makes it a rename`;
    expect(hints(withViews({ airport_delays: { ...airportDelays, features } }))).toEqual([
      `view airport_delays: ${said}`,
    ]);
    const renamed = { ...lateness, renamedFrom: 'airport_delays', features };
    expect(hints(withViews({ lateness: renamed }))).toEqual([`view lateness: ${said}`]);
  });

  it('of an on-demand view of the same code', () => {
    const onDemandViews = {
      leaving: { ...departure, name: 'leaving', transform: { ...departure.transform, id: 'x' } },
    };
    expect(hints(withViews(flightsManifest.views, { onDemandViews }))).toEqual([
      hint('onDemandView', 'leaving', 'departure', 'makes it a rename'),
    ]);
  });

  it('once of each, where several are alike', () => {
    const twin = { ...airportDelays, name: 'twin' };
    const before = withViews({ airport_delays: airportDelays, twin });
    const after = withViews({ lateness, other: { ...lateness, name: 'other' }, third: { ...lateness, name: 'third' } });
    expect(hints(after, before)).toEqual([hint('view', 'lateness', 'airport_delays'), hint('view', 'other', 'twin')]);
  });
});

describe('a plan hints at no rename', () => {
  it('of what is one already, stays, or is made otherwise', () => {
    expect(hints(withViews({ lateness: { ...lateness, renamedFrom: 'airport_delays' } }))).toEqual([]);
    expect(hints(withViews({ airport_delays: airportDelays, lateness }))).toEqual([]);
    expect(hints(withViews({ lateness: { ...lateness, keyColumns: ['destination'] } }))).toEqual([]);
    const features = [{ ...lastDelay, name: 'newest', aggregation: meanDelay7d.aggregation }, flights1d, meanDelay7d];
    expect(hints(withViews({ airport_delays: { ...airportDelays, features } }))).toEqual([]);
    expect(plan(undefined, flightsManifest).changes.flatMap(({ hints: all }) => all)).toEqual([]);
  });

  it('of an entity that has but the same keys', () => {
    const carrier = { ...airport, name: 'carrier' };
    const views = { fleet: { ...airportDelays, name: 'fleet', entity: 'carrier', keyColumns: ['tail'] } };
    expect(hints(withViews(views, { entities: { carrier } }))).toEqual([]);
  });
});

describe('a plan hints at a column', () => {
  const flights = spec(flightsManifest.sources, 'flights');
  const without = (column: string): Manifest => ({
    ...flightsManifest,
    sources: { flights: { ...flights, columns: flights.columns.filter(({ name }) => name !== column) } },
  });
  const hintsFor = (after: Manifest, ...versions: readonly number[]) =>
    plan(flightsManifest, after, modelInUse(flightsManifest, ...versions)).changes.flatMap(({ hints: all }) => all);

  it('that goes while versions which are kept read it', () => {
    const [column = ''] = viewColumns(flights, airportDelays).declared.map(({ name }) => name);
    expect(hintsFor(without(column), 1, 2)).toEqual([
      `model delay_classifier versions 1, 2 go on reading column "${column}": go on sending it, and keep it in the files`,
    ]);
    expect(plan(flightsManifest, without(column), NOTHING_IN_USE).changes.flatMap(({ hints: all }) => all)).toEqual([]);
  });

  it('and not where none of them does', () => {
    const columns = [...flights.columns, { name: 'gate', type: { kind: 'string' as const } }];
    const before = { ...flightsManifest, sources: { flights: { ...flights, columns } } };
    const { changes } = plan(before, flightsManifest, modelInUse(before, 1));
    expect(changes.map(({ object, hints: all }) => [object, all])).toEqual([['source', []]]);
  });
});
