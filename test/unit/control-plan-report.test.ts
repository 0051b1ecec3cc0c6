import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planReport } from '../../src/control/index.ts';
import { contentHash, fixedClock, MICROS_PER_SECOND } from '../../src/core/index.ts';
import { type Manifest, viewVersion } from '../../src/definitions/index.ts';
import { type NewRun, openRuns, type Runs } from '../../src/online/index.ts';
import { openRegistry, type Registry } from '../../src/registry/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { airportDelays, flightsManifest } from '../support/manifests.ts';

const NOW = 1_795_000_000_000_000;
const VERSION = viewVersion(flightsManifest, 'airport_delays');
const shorter: Manifest = { ...flightsManifest, views: { airport_delays: { ...airportDelays, ttlMicros: 1 } } };

describe('the report of a plan', () => {
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
    const asked: NewRun = {
      view: 'airport_delays',
      version: VERSION,
      snapshot: [],
      proposed: 0,
      asOf: NOW,
      carriesWaiting: false,
      fingerprint: '',
      askedMicros: NOW,
    };
    const { number } = await runs.ask(asked);
    await runs.open(number, { boundary: 0, coverage: { floor: 1, cuts: new Map() }, isFull, since: 0 });
    const counts = { keys, written: keys, rowsInRange: 0, rowsIgnored: 0 };
    await runs.finish(number, counts, NOW + seconds * MICROS_PER_SECOND);
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
    const { number } = await runs.ask({
      view: 'airport_delays',
      version: VERSION,
      snapshot: [],
      proposed: 0,
      asOf: NOW,
      carriesWaiting: false,
      fingerprint: '',
      askedMicros: NOW,
    });
    await runs.abandon(number, 'cut off');
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
    const set = {
      id: 'ab12cd34ef',
      name: 'march',
      manifestHash: contentHash(flightsManifest),
      service: 'delay_features',
    };
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
