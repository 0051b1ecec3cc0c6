// Features by reference: what they are read by, by which definitions while a version of a view is being filled, and how many
// plans are kept.

import { describe, expect, it } from 'vitest';
import { type Definitions, type Manifest, type ResolvedService, viewVersion } from '../../src/definitions/index.ts';
import type { ReadPlan } from '../../src/serving/features/read-plan.ts';
import {
  BY_REFERENCE,
  planReferences,
  type ReferenceSource,
  resolveReferences,
} from '../../src/serving/features/reference-plans.ts';
import { airportDelays, flightsManifest, lastDelay } from '../support/manifests.ts';

const definitionsOf = (manifest: Manifest): Definitions => ({
  manifest,
  hash: JSON.stringify(manifest.views),
  functions: new Map(),
  bundles: new Map(),
  directory: '',
});

const applied = definitionsOf(flightsManifest);
/** The view had one feature then, so that it was another version. */
const before = definitionsOf({
  ...flightsManifest,
  views: { ...flightsManifest.views, airport_delays: { ...airportDelays, features: [lastDelay] } },
});
const versionOf = ({ manifest }: Definitions): string => viewVersion(manifest, 'airport_delays');

/** `earlier`: what a service is served by meanwhile. */
function snapshotOf(readable: readonly Definitions[], earlier: readonly Definitions[] = []): ReferenceSource {
  const versions = new Set(readable.map(versionOf));
  const served = [applied, ...earlier].map((definitions, at) => {
    const facts = { service: `s${at}`, revision: 9 - at, manifestHash: '', waitsFor: [], state: 'waiting' as const };
    return [`s${at}`, { ...facts, definitions }] as const;
  });
  return {
    definitions: applied,
    services: new Map(served),
    isReadable: (version) => versions.has(version),
    referencePlans: new Map(),
  };
}

interface Compiled {
  readonly definitions: Definitions;
  readonly service: ResolvedService;
}

function plan(snapshot: ReferenceSource, references: readonly string[], compiled: Compiled[] = []): ReadPlan {
  return planReferences(snapshot, references, (definitions, service) => {
    compiled.push({ definitions, service });
    return { service } as ReadPlan;
  });
}

const LAST = `airport_delays:${lastDelay.name}`;

describe('references', () => {
  it('are a service of their features, in their order, read once a view by its entity’s own keys', () => {
    const names = airportDelays.features.map(({ name }) => name).reverse();
    const service = resolveReferences(
      flightsManifest,
      names.map((name) => `airport_delays:${name}`),
    );
    expect(service.features.map(({ name }) => name)).toEqual(names.map((name) => `airport_delays__${name}`));
    expect(service.reads).toHaveLength(1);
    const keys = flightsManifest.entities[airportDelays.entity]?.keys.map(({ name }) => name);
    expect(service.requestColumns.map(({ name }) => name)).toEqual(keys);
    expect(service.name).toBe(BY_REFERENCE);
  });

  it.each([
    ['airport_delay:x', 'HR_UNKNOWN_VIEW', /Did you mean "airport_delays"/],
    ['toString:x', 'HR_UNKNOWN_VIEW', /no feature view "toString"/],
    ['airport_delays:nothing_like_it', 'HR_UNKNOWN_FEATURE', /The features: /],
    ['airport_delays', 'HR_INVALID', /expected VIEW:FEATURE/],
    ['airport_delays:a:b', 'HR_INVALID', /expected VIEW:FEATURE/],
    ['', 'HR_INVALID', /expected VIEW:FEATURE/],
  ])('say what is wrong with "%s"', (reference, code, message) => {
    const wrong = (): unknown => resolveReferences(flightsManifest, [reference]);
    expect(wrong).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  it('go by the applied definitions where all that they read is filled', () => {
    const compiled: Compiled[] = [];
    plan(snapshotOf([applied, before], [before]), [LAST], compiled);
    expect(compiled.map(({ definitions }) => definitions)).toEqual([applied]);
  });

  it('go by earlier ones until then, and are refused where those can’t answer', () => {
    const compiled: Compiled[] = [];
    plan(snapshotOf([before], [before]), [LAST], compiled);
    expect(compiled.map(({ definitions }) => definitions)).toEqual([before]);
    const other = airportDelays.features.find(({ name }) => name !== lastDelay.name)?.name;
    const incomplete = expect.objectContaining({ code: 'HR_VERSION_INCOMPLETE' });
    expect(() => plan(snapshotOf([before], [before]), [`airport_delays:${other}`])).toThrow(incomplete);
    expect(() => plan(snapshotOf([], [before]), [LAST])).toThrow(incomplete);
  });
});

describe('plans of references', () => {
  it('are compiled once a list', () => {
    const snapshot = snapshotOf([applied]);
    const compiled: Compiled[] = [];
    expect(plan(snapshot, [LAST], compiled)).toBe(plan(snapshot, [LAST], compiled));
    expect(compiled).toHaveLength(1);
    // What only looks like a list that is kept is none.
    const two = airportDelays.features.slice(0, 2).map(({ name }) => `airport_delays:${name}`);
    plan(snapshot, two, compiled);
    expect(() => plan(snapshot, [two.join('\0')])).toThrow(expect.objectContaining({ code: 'HR_INVALID' }));
  });

  it('are kept for as many lists as were asked for last', () => {
    const features = Array.from({ length: 300 }, (_, at) => ({ ...lastDelay, name: `f${at}` }));
    const views = { ...flightsManifest.views, airport_delays: { ...airportDelays, features } };
    const wide = definitionsOf({ ...flightsManifest, views });
    const snapshot = { ...snapshotOf([wide]), definitions: wide };
    const compiled: Compiled[] = [];
    plan(snapshot, ['airport_delays:f0'], compiled);
    for (let at = 1; at < 300; at++) {
      plan(snapshot, [`airport_delays:f${at}`], compiled);
      // Asked for again and again, it stays.
      plan(snapshot, ['airport_delays:f0'], compiled);
    }
    expect(snapshot.referencePlans.size).toBe(256);
    expect(compiled).toHaveLength(300);
    plan(snapshot, ['airport_delays:f1'], compiled);
    expect(compiled).toHaveLength(301);
  });
});
