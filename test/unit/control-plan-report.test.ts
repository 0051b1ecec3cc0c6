import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planReport, reportOnce } from '../../src/control/index.ts';
import { type SurveyDeps, surveyVersions } from '../../src/control/kept-versions.ts';
import { storeLack, type StoreLackDeps } from '../../src/control/store-lack.ts';
import { contentHash, fixedClock, MICROS_PER_SECOND } from '../../src/core/index.ts';
import { type Manifest, viewVersion } from '../../src/definitions/index.ts';
import { type NewRun, openRuns, type Runs } from '../../src/online/index.ts';
import { openRegistry, type Registry } from '../../src/registry/index.ts';
import type { ExperimentReport } from '../../src/rollouts/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { airportDelays, flightsManifest } from '../support/manifests.ts';

describe('the report of a plan', () => {
  const NOW = 1_795_000_000_000_000;
  const VERSION = viewVersion(flightsManifest, 'airport_delays');
  const nothing = { proposed: 0, carriesWaiting: false, fingerprint: '' };
  const ASKED: NewRun = { ...nothing, view: 'airport_delays', version: VERSION, asOf: NOW, askedMicros: NOW };
  const shorter: Manifest = { ...flightsManifest, views: { airport_delays: { ...airportDelays, ttlMicros: 1 } } };

  let database: Database;
  let registry: Registry;
  let runs: Runs;
  beforeEach(async () => {
    database = await openDatabase('sqlite::memory:');
    registry = await openRegistry(database, fixedClock(NOW));
    runs = await openRuns(database);
    await registry.definitions.apply(flightsManifest, { actor: 'ann' });
  });
  afterEach(() => database.close());

  const report = (manifest: Manifest, trainingSets: Parameters<typeof planReport>[0]['trainingSets'] = []) =>
    planReport({ registry, runs, trainingSets }, manifest);
  const run = async (keys: number, seconds: number, isFull: boolean): Promise<void> => {
    const asked = await runs.ask(ASKED);
    await runs.open(asked, { snapshot: [], boundary: 0, coverage: { floor: 1, cuts: new Map() }, isFull, since: 0 });
    const counts = { keys, written: keys, rowsInRange: 0, rowsIgnored: 0 };
    await runs.finish(asked, counts, NOW + seconds * MICROS_PER_SECOND);
  };

  it('tells of a view that has to be filled how many keys and how long, by the last run that wrote every key', async () => {
    expect((await report(shorter)).views).toEqual([
      {
        view: 'airport_delays',
        old_version: VERSION,
        new_version: viewVersion(shorter, 'airport_delays'),
        needs_run: true,
        old_answers: true,
        services: ['delay_features'],
        kept_for: [],
        command: 'headrace materialize --incremental --views airport_delays',
        estimate: null,
      },
    ]);
    await run(312, 4.25, true);
    await run(3, 0.5, false);
    const { views, command } = await report(shorter);
    expect(views[0]?.estimate).toEqual({ keys: 312, seconds: 4.3, run: 1 });
    expect(command).toBe('headrace materialize --incremental --views airport_delays');
    await run(400, 5, true);
    expect((await report(shorter)).views[0]?.estimate).toEqual({ keys: 400, seconds: 5, run: 3 });
  });

  it('takes the last run where none wrote every key, and none that came to nothing', async () => {
    await run(7, 1, false);
    await runs.abandon(await runs.ask(ASKED), 'cut off');
    expect((await report(shorter)).views[0]?.estimate).toEqual({ keys: 7, seconds: 1, run: 1 });
  });

  it('asks for nothing where a version is kept and complete, and tells for whom the old one stays', async () => {
    await registry.models.register({ model: 'delay_classifier', artifact: 'a', signature: {}, actor: 'ann' });
    const [first] = await registry.versions.list();
    if (first === undefined) throw new Error('no version is kept');
    await registry.versions.complete(first);
    expect((await report(shorter)).views).toMatchObject([
      { needs_run: true, kept_for: [{ model: 'delay_classifier', versions: [1] }] },
    ]);
    await registry.definitions.apply(shorter, { actor: 'ann', allowBreaking: true });
    const back = await report(flightsManifest);
    expect(back.views).toMatchObject([{ needs_run: false, command: null, estimate: null }]);
    expect(back.command).toBeNull();
  });

  it('names the training sets that read what changes, with everyone else who is touched', async () => {
    await registry.models.register({ model: 'delay_classifier', artifact: 'a', signature: {}, actor: 'ann' });
    const of = { manifestHash: contentHash(flightsManifest), service: 'delay_features' };
    const set = { id: 'ab12cd34ef', name: 'march', ...of };
    const { touched, breaking } = await report(shorter, [set]);
    const features = ['origin__last_delay'];
    expect(touched).toEqual([
      { kind: 'model', model: 'delay_classifier', versions: [1], features },
      { kind: 'endpoint', endpoint: 'delay', features },
      { kind: 'training_set', id: 'ab12cd34ef', name: 'march', features },
    ]);
    expect(breaking[0]?.breaking).toContain('training set ab12cd34 "march"');
  });

  it('names no view one by one where every one of many has to be filled', async () => {
    const views = Object.fromEntries(
      Array.from({ length: 30 }, (_, at) => [`v${at}`, { ...airportDelays, name: `v${at}` }]),
    );
    const many = { ...flightsManifest, views, services: {}, models: {}, endpoints: {} };
    const { views: planned, command } = await report(many);
    expect(planned).toHaveLength(30);
    expect(command).toBe('headrace materialize --incremental');
  });
});

describe('who reads a kept version', () => {
  const VIEW = Object.keys(flightsManifest.views)[0] as string;
  const SERVICE = Object.keys(flightsManifest.services)[0] as string;
  const VERSION = viewVersion(flightsManifest, VIEW);

  type Survey = Partial<Record<'services' | 'needs' | 'sets', object[]>> &
    Partial<Record<'isApplied' | 'isKept', boolean>>;
  function survey({ isApplied = true, isKept = true, services = [], needs = [], sets = [] }: Survey) {
    // As much of each as is asked.
    return surveyVersions({
      registry: {
        definitions: {
          current: async () => (isApplied ? { manifest: flightsManifest } : undefined),
          byHash: async (hash: string) => (hash === 'known' ? flightsManifest : undefined),
        },
        versions: {
          list: async () => (isKept ? [{ version: VERSION, completedMicros: 1, unreadSinceMicros: 5 }] : []),
          servedServices: async () => services,
          needs: async () => new Map([[VERSION, needs]]),
        },
      },
      live: [{ version: VERSION, view: VIEW, manifest: flightsManifest }],
      trainingSets: sets,
    } as unknown as SurveyDeps);
  }

  it('nobody, before anything is applied, or once it was removed', async () => {
    expect(await survey({ isApplied: false })).toEqual([]);
    expect(await survey({ isKept: false })).toEqual([]);
    expect(await survey({ needs: [{ by: 'applied' }] })).toMatchObject([
      { readBy: [], missing: null, unreadSinceMicros: 5 },
    ]);
  });

  it('services that serve by it, models, and training sets that were made by definitions that are kept', async () => {
    const set = { id: 't', name: 'n', manifestHash: 'known', service: SERVICE };
    const readBy = [
      { kind: 'service', service: SERVICE, revision: 3 },
      { kind: 'model', model: 'm', version: 2 },
      { kind: 'training_set', id: 't', name: 'n' },
      { kind: 'training_set', id: 'u', name: null },
    ];
    const services = [
      { service: SERVICE, revision: 3, state: 'served' },
      { service: SERVICE, revision: 2, state: 'waiting' },
      { service: 'gone', revision: 1, state: 'served' },
    ];
    const needs = [{ by: 'model', model: 'm', version: 2 }];
    const sets = [set, { ...set, id: 'u', name: null }, { ...set, manifestHash: 'lost' }, { ...set, service: 'gone' }];
    expect(await survey({ services, needs, sets })).toMatchObject([{ readBy }]);
  });
});

// The queue of reports: one at a time, bounded in how many wait and in how long they do.
/** Reports that end when the test says so. */
function held() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const make = (name: string) => {
    begun.push(name);
    // Nobody looks into it here.
    return new Promise<ExperimentReport>((resolve) => ends.push(() => resolve({ name } as ExperimentReport)));
  };
  return { begun, make, endNext: () => ends.shift()?.() };
}

it('gives who asks for one that is being made that one, and makes others one after the other', async () => {
  const { begun, make, endNext } = held();
  const report = reportOnce(make, { waitMs: 60_000 });
  const [a, same, b] = [report('a', undefined), report('a', undefined), report('b', undefined)];
  expect(same).toBe(a);
  await expect.poll(() => begun).toEqual(['a']);
  endNext();
  expect(await a).toEqual({ name: 'a' });
  await expect.poll(() => begun).toEqual(['a', 'b']);
  endNext();
  expect(await b).toEqual({ name: 'b' });
});

it('refuses one more than may wait', async () => {
  const { begun, make, endNext } = held();
  const report = reportOnce(make, { waitMs: 60_000 });
  const asked = Array.from({ length: 8 }, (_, phase) => report('a', phase + 1));
  await expect(report('a', 9)).rejects.toMatchObject({ code: 'HR_OVERLOADED' });
  for (const [at, one] of asked.entries()) {
    await expect.poll(() => begun).toHaveLength(at + 1);
    endNext();
    await one;
  }
});

it('refuses one whose turn does not come in time, which then is never begun, and makes what follows', async () => {
  const { begun, make, endNext } = held();
  const report = reportOnce(make, { waitMs: 20 });
  const a = report('a', undefined);
  await expect(report('b', undefined)).rejects.toMatchObject({
    code: 'HR_OVERLOADED',
    message: expect.stringMatching(/the turn of experiment "b" did not come within 0\.02 s; ask again/),
  });
  endNext();
  await a;
  const c = report('c', undefined);
  await expect.poll(() => begun).toEqual(['a', 'c']);
  endNext();
  expect(await c).toEqual({ name: 'c' });
});

// What is said of an online store that has not what runs filled.
interface Given {
  /** Versions, by name, and whether each is complete, filled by a run, and needed by somebody. */
  readonly versions: Readonly<Record<string, { isComplete?: boolean; isFilled?: boolean; isNeeded?: boolean }>>;
  /** Those whose mark the store has. */
  readonly marked?: readonly string[];
  readonly isApplied?: boolean;
}

async function lackOf({ versions, marked = [], isApplied = true }: Given) {
  const names = Object.keys(versions);
  // As much of each as is looked at.
  const deps = {
    registry: {
      definitions: { current: async () => (isApplied ? { manifest: { project: 'shop' } } : undefined) },
      versions: {
        list: async () =>
          names.map((version) => ({ version, completedMicros: versions[version]?.isComplete === false ? null : 1 })),
        needs: async () =>
          new Map(names.filter((name) => versions[name]?.isNeeded !== false).map((name) => [name, []])),
      },
    },
    runs: { filledVersions: async () => new Set(names.filter((name) => versions[name]?.isFilled !== false)) },
    store: { marks: async (version: string) => [{ node: 'n', run: marked.includes(version) ? 1 : undefined }] },
    storePlace: { project: 'shop', url: 'redis://here' },
  } as unknown as StoreLackDeps;
  return storeLack(deps);
}

describe('a store lacks', () => {
  it('nothing where it has the mark of every version, or nothing is applied', async () => {
    expect(await lackOf({ versions: { 'v@1': {} }, marked: ['v@1'] })).toBeUndefined();
    expect(await lackOf({ versions: { 'v@1': {} }, isApplied: false })).toBeUndefined();
  });

  it.each(['isComplete', 'isFilled', 'isNeeded'])('nothing of a version of which %s is false', async (what) => {
    expect(await lackOf({ versions: { 'v@1': { [what]: false } } })).toBeUndefined();
  });

  it('what it has no mark of, and is absent only where it has none at all', async () => {
    const versions = { 'v@1': {}, 'w@1': {} };
    expect(await lackOf({ versions })).toMatchObject({ isAbsent: true, says: expect.stringContaining('v@1, w@1 are') });
    const some = await lackOf({ versions, marked: ['w@1'] });
    expect(some).toMatchObject({ isAbsent: false, says: expect.stringContaining('v@1 is complete') });
    expect(some?.says).not.toContain('w@1');
  });
});
