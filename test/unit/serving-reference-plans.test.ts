// Features by reference: what they are read by, by which definitions while a version of a view is being filled, and how many
// plans are kept.

import { describe, expect, it } from 'vitest';
import { type Definitions, type Manifest, viewVersion } from '../../src/definitions/index.ts';
import type { ReadPlan } from '../../src/serving/features/read-plan.ts';
import {
  BY_REFERENCE,
  planReferences,
  type ReferenceSource,
  resolveReferences,
} from '../../src/serving/features/reference-plans.ts';
import { airportDelays, flightsManifest, lastDelay } from '../support/manifests.ts';

/** With other features, so that the view is another version. */
function definitionsWith(features = airportDelays.features): Definitions {
  const views = { ...flightsManifest.views, airport_delays: { ...airportDelays, features } };
  const manifest: Manifest = { ...flightsManifest, views };
  return { manifest, hash: JSON.stringify(views), functions: new Map(), bundles: new Map(), directory: '' };
}
const applied = definitionsWith();
/** The view had one feature then. */
const before = definitionsWith([lastDelay]);

/** `earlier`: what a service is served by meanwhile. Gives plans, and counts by which definitions they were compiled. */
function open(readable: readonly Definitions[], earlier: readonly Definitions[] = [], newest = applied) {
  const versions = new Set(readable.map(({ manifest }) => viewVersion(manifest, 'airport_delays')));
  const served = [applied, ...earlier].map((definitions, at) => {
    const facts = { service: `s${at}`, revision: 9 - at, manifestHash: '', waitsFor: [], state: 'waiting' as const };
    return [`s${at}`, { ...facts, definitions }] as const;
  });
  const snapshot: ReferenceSource = {
    definitions: newest,
    services: new Map(served),
    isReadable: (version) => versions.has(version),
    referencePlans: new Map(),
  };
  const compiled: Definitions[] = [];
  const plan = (...references: readonly string[]): ReadPlan =>
    planReferences(snapshot, references, (definitions, service) => {
      compiled.push(definitions);
      return { service } as ReadPlan;
    });
  return { plan, compiled, plans: snapshot.referencePlans };
}

const refer = (name: string | undefined) => `airport_delays:${name}`;
const LAST = refer(lastDelay.name);

describe('references', () => {
  it('are a service of their features, in their order, read once a view by its entity’s own keys', () => {
    const names = airportDelays.features.map(({ name }) => name).reverse();
    const service = resolveReferences(flightsManifest, names.map(refer));
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
    const wrong = { code, message: expect.stringMatching(message) };
    expect(() => resolveReferences(flightsManifest, [reference])).toThrow(expect.objectContaining(wrong));
  });

  it.each([
    ['the applied definitions where all that they read is filled', [applied, before], applied],
    ['earlier ones until then', [before], before],
  ])('go by %s', (_what, readable, by) => {
    const { plan, compiled } = open(readable, [before]);
    plan(LAST);
    expect(compiled).toEqual([by]);
  });

  it('are refused where earlier definitions can’t answer', () => {
    const other = airportDelays.features.find(({ name }) => name !== lastDelay.name)?.name;
    const incomplete = expect.objectContaining({ code: 'HR_VERSION_INCOMPLETE' });
    expect(() => open([before], [before]).plan(refer(other))).toThrow(incomplete);
    expect(() => open([], [before]).plan(LAST)).toThrow(incomplete);
  });
});

describe('plans of references', () => {
  it('are compiled once a list', () => {
    const { plan, compiled } = open([applied]);
    expect(plan(LAST)).toBe(plan(LAST));
    expect(compiled).toHaveLength(1);
    // What only looks like a list that is kept is none.
    const two = airportDelays.features.slice(0, 2).map(({ name }) => refer(name));
    plan(...two);
    expect(() => plan(two.join('\0'))).toThrow(expect.objectContaining({ code: 'HR_INVALID' }));
  });

  it('are kept for as many lists as were asked for last', () => {
    const wide = definitionsWith(Array.from({ length: 300 }, (_, at) => ({ ...lastDelay, name: `f${at}` })));
    const { plan, compiled, plans } = open([wide], [], wide);
    plan(refer('f0'));
    for (let at = 1; at < 300; at++) {
      plan(refer(`f${at}`));
      // Asked for again and again, it stays.
      plan(refer('f0'));
    }
    expect(plans.size).toBe(256);
    expect(compiled).toHaveLength(300);
    plan(refer('f1'));
    expect(compiled).toHaveLength(301);
  });
});
