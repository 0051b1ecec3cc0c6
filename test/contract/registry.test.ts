import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { contentHash, fixedClock } from '../../src/core/index.ts';
import type { Manifest } from '../../src/definitions/index.ts';
import { openRegistry, type Registry } from '../../src/registry/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import {
  airportDelays,
  delayModel,
  emptyManifest,
  flights1d,
  flightsManifest,
  flightsManifestWith,
  lastDelay,
  meanDelay7d,
} from '../support/manifests.ts';

const NOW = 1_795_000_000_123_456;
const MODEL = 'delay_classifier';
const artifact = (digit: string): string => digit.repeat(64);

describe.each(testDatabases('registry contract'))('the registry on $name', (databases) => {
  let database: Database;
  let registry: Registry;

  beforeAll(() => databases.start());
  beforeEach(async () => {
    database = await openDatabase(await databases.newUrl());
    registry = await openRegistry(database, fixedClock(NOW));
  });
  afterEach(() => database.close());
  afterAll(() => databases.stop());

  const apply = (manifest: Manifest, allowBreaking = false) =>
    registry.definitions.apply(manifest, { actor: 'ann', allowBreaking });
  const register = (digit = '1', extra: object = {}) =>
    registry.models.register({
      model: MODEL,
      artifact: artifact(digit),
      signature: { inputs: [] },
      actor: 'ann',
      ...extra,
    });
  const variants = (...weights: [version: number, weight: number][]) =>
    weights.map(([version, weight], at) => ({ name: `v${at}`, version, weight }));

  describe('plan and apply', () => {
    it('has nothing before the first apply', async () => {
      expect(await registry.definitions.current()).toBeUndefined();
      expect(await registry.definitions.history()).toEqual([]);
      await expect(register()).rejects.toMatchObject({ code: 'HR_NOTHING_APPLIED' });
    });

    it('plans every object of the first manifest as added, none of it breaking', async () => {
      const plan = await registry.definitions.plan(flightsManifest);
      expect(plan.baseRevision).toBe(0);
      expect(plan.breaking).toEqual([]);
      expect(plan.changes.map(({ kind, object, name }) => `${kind} ${object} ${name}`)).toEqual([
        'add entity airport',
        'add source flights',
        'add view airport_delays',
        'add onDemandView departure',
        'add service delay_features',
        'add model delay_classifier',
        'add endpoint delay',
      ]);
    });

    it('gives back the manifest that was applied, by revision and by hash', async () => {
      const applied = await apply(flightsManifest);
      const hash = contentHash(flightsManifest);
      expect(applied).toMatchObject({ revision: 1, hash, appliedAtMicros: NOW, actor: 'ann' });
      expect(await registry.definitions.current()).toEqual({
        revision: 1,
        hash,
        appliedAtMicros: NOW,
        actor: 'ann',
        origin: {},
        manifest: flightsManifest,
      });
      expect(await registry.definitions.byHash(hash)).toEqual(flightsManifest);
      expect(await registry.definitions.byHash(artifact('0'))).toBeUndefined();
    });

    it('changes nothing when the current manifest is applied again', async () => {
      await apply(flightsManifest);
      const token = await registry.changeToken();
      expect(await apply(flightsManifest)).toMatchObject({ revision: 1, changes: [] });
      expect(await registry.changeToken()).toBe(token);
      expect(await registry.definitions.history()).toHaveLength(1);
    });

    it('says what changes in an object, a line each', async () => {
      await apply(flightsManifestWith([lastDelay]));
      const plan = await registry.definitions.plan(flightsManifestWith([lastDelay, meanDelay7d]));
      expect(plan.changes.map(({ name, detail }) => [name, detail])).toEqual([
        ['airport_delays', ['+ feature "mean_delay_7d": mean(delay) over 7d, float64']],
        ['delay_features', ['member "origin": + mean_delay_7d']],
      ]);
      expect(plan.breaking).toEqual([]);
    });

    it('refuses to remove a feature that a model version reads, unless told to', async () => {
      await apply(flightsManifestWith([lastDelay, meanDelay7d]));
      await register();
      const next = flightsManifestWith([lastDelay]);
      const plan = await registry.definitions.plan(next);
      expect(plan.breaking.map(({ object, name }) => `${object} ${name}`)).toEqual(['view airport_delays']);
      expect(plan.breaking[0]?.breaking).toBe(
        'origin__mean_delay_7d goes: model delay_classifier version 1 (it goes on getting what it was registered with), endpoint delay',
      );
      await expect(apply(next)).rejects.toMatchObject({
        code: 'HR_BREAKING_CHANGE',
        details: [{ path: 'view airport_delays' }],
      });
      expect((await registry.definitions.current())?.revision).toBe(1);
      expect((await apply(next, true)).revision).toBe(2);
    });

    it('takes the removal of a feature that no version reads, or a retired one', async () => {
      await apply(flightsManifestWith([lastDelay, meanDelay7d]));
      expect((await apply(flightsManifestWith([lastDelay]))).revision).toBe(2);
      await register();
      await apply(flightsManifestWith([lastDelay, meanDelay7d]));
      await register('2');
      await registry.models.retire(MODEL, 2, 'ann');
      expect((await apply(flightsManifestWith([lastDelay]))).revision).toBe(4);
    });

    it('holds a change against what each version was registered with', async () => {
      await apply(flightsManifest);
      await register();
      const wider = flightsManifestWith([lastDelay, flights1d, { ...meanDelay7d, aggregation: lastDelay.aggregation }]);
      const reasons = async (manifest: Manifest) =>
        (await registry.definitions.plan(manifest)).breaking.map(({ object, breaking }) => `${object}: ${breaking}`);
      const changes = 'view: origin__mean_delay_7d changes meaning: model delay_classifier version';
      expect(await reasons(wider)).toEqual([
        `${changes} 1 (it goes on getting what it was registered with), endpoint delay`,
      ]);
      await apply(wider, true);
      expect(await reasons(flightsManifest)).toEqual([]);
      await register('2');
      expect(await reasons(flightsManifest)).toEqual([`${changes} 2 (it goes on getting what it was registered with)`]);
    });

    it('tells which training sets read what changes', async () => {
      await apply(flightsManifest);
      const set = { manifestHash: contentHash(flightsManifest), service: 'delay_features' };
      const sets = [
        { ...set, id: 'set-1', name: 'march' },
        { ...set, id: 'set-2', name: null, manifestHash: artifact('9') },
      ];
      const [, change] = (await registry.definitions.plan(flightsManifestWith([lastDelay, flights1d]), sets)).changes;
      expect(change).toMatchObject({ object: 'service', touched: [] });
      const [view] = (await registry.definitions.plan(flightsManifestWith([lastDelay, flights1d]), sets)).changes;
      expect(view).toMatchObject({
        breaking: null,
        touched: [{ kind: 'training_set', id: 'set-1', name: 'march', features: ['origin__mean_delay_7d'] }],
      });
    });

    it('tells which views have to be filled, and which are kept and complete', async () => {
      await apply(flightsManifest);
      const shorter = { ...flightsManifest, views: { airport_delays: { ...airportDelays, ttlMicros: 1 } } };
      const [first] = await registry.versions.list();
      if (first === undefined) throw new Error('no version is kept');
      expect((await registry.definitions.plan(shorter)).views).toMatchObject([
        { view: 'airport_delays', before: first.version, needsRun: true, answersBefore: true },
      ]);
      await registry.versions.complete(first);
      await apply(shorter);
      expect((await registry.definitions.plan(flightsManifest)).views).toMatchObject([
        { after: first.version, needsRun: false },
      ]);
    });

    it('keeps the bundles that are applied where the code is the same', async () => {
      const departure = flightsManifest.onDemandViews['departure'];
      if (departure === undefined) throw new Error('flightsManifest has the view');
      const bundled = (hash: string, bundle: string): Manifest => ({
        ...flightsManifest,
        onDemandViews: { departure: { ...departure, transform: { ...departure.transform, hash, bundle } } },
      });
      await apply(bundled('a'.repeat(64), '1'.repeat(64)));
      expect(await apply(bundled('a'.repeat(64), '2'.repeat(64)))).toMatchObject({ revision: 1, changes: [] });
      // One that is lost is not kept.
      const lostBundles = new Set(['1'.repeat(64)]);
      expect(
        await registry.definitions.apply(bundled('a'.repeat(64), '3'.repeat(64)), { actor: 'ann', lostBundles }),
      ).toMatchObject({
        revision: 2,
        changes: [],
      });
      const [{ hash: now } = { hash: '' }] = await registry.definitions.history();
      expect((await registry.definitions.byHash(now))?.onDemandViews['departure']?.transform.bundle).toBe(
        '3'.repeat(64),
      );
      const applied = await apply(bundled('b'.repeat(64), '2'.repeat(64)));
      expect(applied.changes.map(({ detail }) => detail)).toEqual([['transform: aaaaaaaa → bbbbbbbb']]);
    });

    it('keeps an object under its new name when it is renamed, and ends the old one', async () => {
      await apply(flightsManifestWith([lastDelay]));
      const service = flightsManifest.services['delay_features'];
      const renamed: Manifest = {
        ...flightsManifest,
        views: {
          lateness: { ...airportDelays, features: [lastDelay], name: 'lateness', renamedFrom: 'airport_delays' },
        },
        services: {
          delay_features: {
            name: 'delay_features',
            members: (service?.members ?? []).map((member) =>
              member.kind === 'view' ? { ...member, view: 'lateness', features: ['last_delay'] } : member,
            ),
          },
        },
      };
      const { changes } = await apply(renamed);
      expect(changes.map(({ kind, name, former }) => [kind, name, former])).toEqual([
        ['rename', 'lateness', 'airport_delays'],
        ['change', 'delay_features', null],
      ]);
      expect((await registry.definitions.objectVersions('view', 'airport_delays')).at(-1)?.spec).toBeNull();
      expect((await registry.definitions.objectVersions('view', 'lateness')).at(-1)?.spec).toMatchObject({
        storedAs: 'airport_delays',
      });
    });

    it('finds the removal of a model with versions and of an endpoint with traffic breaking', async () => {
      await apply(flightsManifest);
      const none = { ...flightsManifest, endpoints: {}, models: {} };
      expect((await registry.definitions.plan(none)).breaking).toEqual([]);
      await register();
      expect(
        (await registry.definitions.plan(none)).breaking.map(({ object, breaking }) => [object, breaking]),
      ).toEqual([
        ['model', 'it goes: model delay_classifier version 1 (nothing can serve it then)'],
        ['endpoint', 'it goes, with traffic on it: endpoint delay (its requests are refused then)'],
      ]);
    });

    it('keeps every version of every object, its removal and its return included', async () => {
      await apply(flightsManifestWith([lastDelay]));
      await apply(flightsManifestWith([lastDelay, meanDelay7d]));
      await apply(emptyManifest, true);
      await apply(flightsManifestWith([lastDelay]));
      const views = await registry.definitions.objectVersions('view', 'airport_delays');
      expect(views.map(({ version, revision }) => [version, revision])).toEqual([
        [1, 1],
        [2, 2],
        [3, 3],
        [4, 4],
      ]);
      expect(views[2]?.spec).toBeNull();
      expect(views[3]?.hash).toBe(views[0]?.hash);
      expect(await registry.definitions.objectVersions('entity', 'airport')).toHaveLength(3);
    });

    it('lets one of two applies from the same plan win, and tells the other', async () => {
      await apply(flightsManifestWith([lastDelay]));
      const { baseRevision } = await registry.definitions.plan(flightsManifest);
      const candidates = [flightsManifest, flightsManifestWith([lastDelay, meanDelay7d])];
      const results = await Promise.allSettled(
        candidates.map((manifest) =>
          registry.definitions.apply(manifest, { actor: 'ann', expectedRevision: baseRevision }),
        ),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'HR_CONFLICT' });
      expect(await registry.definitions.history()).toHaveLength(2);
    });

    it('keeps whole numbers beyond 2^53 in a manifest', async () => {
      const big = { ...flights1d, default: 2n ** 60n };
      await apply(flightsManifestWith([big]));
      expect((await registry.definitions.current())?.manifest.views['airport_delays']?.features[0]?.default).toBe(
        2n ** 60n,
      );
    });
  });

  describe('models', () => {
    beforeEach(() => apply(flightsManifest));

    it('numbers the versions of a model from 1, and remembers where each came from', async () => {
      const first = await register('1', { trainingSet: 'ts-1', metrics: { auc: 0.75 }, runId: 'run-1' });
      expect(first).toMatchObject({
        version: 1,
        artifact: artifact('1'),
        trainingSet: 'ts-1',
        runId: 'run-1',
        metrics: { auc: 0.75 },
        service: 'delay_features',
        manifestHash: contentHash(flightsManifest),
        createdAtMicros: NOW,
      });
      expect((await register('2')).version).toBe(2);
      expect(await registry.models.get(MODEL, 1)).toEqual(first);
      expect(await registry.models.versions(MODEL)).toHaveLength(2);
    });

    it('gives each of many at once a version of its own', async () => {
      const made = await Promise.all(Array.from({ length: 8 }, () => register()));
      expect(made.map((version) => version.version).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    });

    it('gives a resumed run the version that it made before', async () => {
      await register('1', { runId: 'run-1' });
      expect((await register('1', { runId: 'run-1' })).version).toBe(1);
      expect((await register('1', { runId: 'run-2' })).version).toBe(2);
    });

    it('resolves a number, an alias, and latest; an alias moves', async () => {
      await register('1', { alias: 'champion' });
      await register('2');
      expect((await registry.models.resolve(MODEL, 'champion')).version).toBe(1);
      expect((await registry.models.resolve(MODEL, '2')).version).toBe(2);
      expect((await registry.models.resolve(MODEL, 'latest')).version).toBe(2);
      await registry.models.setAlias(MODEL, 'champion', 2, 'bob');
      expect((await registry.models.resolve(MODEL, 'champion')).version).toBe(2);
      expect((await registry.models.get(MODEL, 1)).aliases).toEqual([]);
      const [entry] = await registry.auditLog.list({ object: `model/${MODEL}` });
      expect(entry).toMatchObject({ actor: 'bob', before: { version: 1 }, after: { version: 2 } });
    });

    it('takes an alias away; what it pointed at stays', async () => {
      await register('1', { alias: 'champion' });
      expect(await registry.models.removeAlias(MODEL, 'champion', 'ann')).toMatchObject({ version: 1, aliases: [] });
      await expect(registry.models.resolve(MODEL, 'champion')).rejects.toMatchObject({ code: 'HR_UNKNOWN_MODEL' });
      for (const name of ['1', 'latest'])
        await expect(registry.models.removeAlias(MODEL, name, 'ann')).rejects.toMatchObject({ code: 'HR_INVALID' });
    });

    it('names the nearest model or alias to one that is unknown', async () => {
      await register('1', { alias: 'champion' });
      await expect(registry.models.versions('delay_clasifier')).rejects.toThrow('Did you mean "delay_classifier"?');
      await expect(registry.models.resolve(MODEL, 'champoin')).rejects.toThrow('Did you mean "champion"?');
      await expect(registry.models.get(MODEL, 7)).rejects.toMatchObject({ code: 'HR_UNKNOWN_MODEL' });
      for (const model of ['other', 'constructor']) {
        await expect(register('1', { model })).rejects.toMatchObject({ code: 'HR_UNKNOWN_MODEL' });
      }
    });

    it('refuses a metric that is no finite number and an alias that looks like a version', async () => {
      await expect(register('1', { metrics: { auc: Number.NaN } })).rejects.toMatchObject({ code: 'HR_INVALID' });
      await expect(register('1', { alias: '3' })).rejects.toMatchObject({ code: 'HR_INVALID' });
      expect(await registry.models.versions(MODEL)).toEqual([]);
    });

    it('lists models with their number of versions and aliases', async () => {
      expect(await registry.models.list()).toEqual([
        { name: MODEL, service: 'delay_features', versions: 0, aliases: {} },
      ]);
      await register('1', { alias: 'champion' });
      await apply(emptyManifest, true);
      expect(await registry.models.list()).toEqual([
        { name: MODEL, service: null, versions: 1, aliases: { champion: 1 } },
      ]);
    });
  });

  describe('endpoints', () => {
    beforeEach(() => apply(flightsManifest));

    it('come with their definition, without traffic until the first version is registered', async () => {
      expect(await registry.endpoints.get('delay')).toMatchObject({ model: MODEL, unit: ['origin'], variants: [] });
      await register();
      expect((await registry.endpoints.get('delay')).variants).toEqual([{ name: 'stable', version: 1, weight: 100 }]);
      await register('2');
      expect((await registry.endpoints.get('delay')).variants).toEqual([{ name: 'stable', version: 1, weight: 100 }]);
    });

    it('take traffic whose weights sum to 100 over existing versions', async () => {
      await register();
      await register('2');
      const state = await registry.endpoints.setTraffic(
        'delay',
        { variants: variants([1, 90.5], [2, 9.5]), shadows: [{ version: 2, percent: 5 }] },
        { actor: 'bob' },
      );
      expect(await registry.endpoints.get('delay')).toEqual(state);
      expect(state.shadows).toEqual([{ version: 2, percent: 5 }]);
      const [entry] = await registry.auditLog.list({ object: 'endpoint/delay' });
      expect(entry).toMatchObject({
        actor: 'bob',
        atMicros: NOW,
        before: { variants: [{ weight: 100 }] },
        after: state,
      });
    });

    it('take aliases and latest as what they mean now, and stay there when an alias moves', async () => {
      for (const digit of ['1', '2', '3']) await register(digit);
      await registry.models.setAlias(MODEL, 'champion', 2, 'ann');
      const asked = [
        { name: 'stable', version: 'champion', weight: 80 },
        { name: 'candidate', version: 'latest', weight: 15 },
        { name: 'old', version: '1', weight: 5 },
      ];
      const state = await registry.endpoints.setTraffic(
        'delay',
        { variants: asked, shadows: [{ version: 'latest', percent: 10 }] },
        { actor: 'bob' },
      );
      expect(state.variants.map(({ version }) => version)).toEqual([2, 3, 1]);
      expect(state.shadows).toEqual([{ version: 3, percent: 10 }]);
      const [entry] = await registry.auditLog.list({ object: 'endpoint/delay' });
      expect(entry).toMatchObject({ after: { variants: state.variants } });
      await registry.models.setAlias(MODEL, 'champion', 3, 'ann');
      await register('4');
      expect(await registry.endpoints.get('delay')).toEqual(state);
    });

    it('name the versions and aliases that there are, for one that there is not', async () => {
      const set = (version: string | number) =>
        registry.endpoints.setTraffic('delay', { variants: [{ name: 'a', version, weight: 100 }] }, { actor: 'bob' });
      await expect(set('latest')).rejects.toMatchObject({
        code: 'HR_UNKNOWN_MODEL',
        message: `model "${MODEL}" has no version yet; register one first`,
      });
      await register('1');
      await register('2');
      await registry.models.setAlias(MODEL, 'champion', 2, 'ann');
      await expect(set('champoin')).rejects.toMatchObject({
        code: 'HR_UNKNOWN_MODEL',
        message: `model "${MODEL}" has no version or alias "champoin". Did you mean "champion"? It has versions 1 to 2; aliases champion, latest.`,
      });
      await expect(set(9)).rejects.toMatchObject({
        code: 'HR_UNKNOWN_MODEL',
        message: expect.stringContaining('no version or alias "9". It has versions 1 to 2'),
      });
    });

    it('refuse weights, names and versions that make no sense, and stay as they were', async () => {
      await register();
      const before = await registry.endpoints.get('delay');
      const set = (given: unknown) =>
        registry.endpoints.setTraffic('delay', given as { variants: [] }, { actor: 'bob' }); // Wrong on purpose.
      const wrong = [
        { variants: [] },
        { variants: variants([1, 90]) },
        { variants: variants([1, 150], [1, -50]) },
        { variants: variants([1, Number.NaN]) },
        {
          variants: [
            { name: 'a', version: 1, weight: 50 },
            { name: 'a', version: 1, weight: 50 },
          ],
        },
        { variants: [{ name: '', version: 1, weight: 100 }] },
        { variants: variants([1, 100]), shadows: [{ version: 1, percent: 101 }] },
      ];
      for (const given of wrong) await expect(set(given)).rejects.toMatchObject({ code: 'HR_INVALID' });
      await expect(set({ variants: variants([9, 100]) })).rejects.toMatchObject({ code: 'HR_UNKNOWN_MODEL' });
      expect(await registry.endpoints.get('delay')).toEqual(before);
    });

    it('let one of two operators with the same ETag win', async () => {
      await register();
      const { etag } = await registry.endpoints.get('delay');
      const set = (name: string) =>
        registry.endpoints.setTraffic(
          'delay',
          { variants: [{ name, version: 1, weight: 100 }] },
          { actor: name, ifMatch: etag },
        );
      const results = await Promise.allSettled([set('ann'), set('bob')]);
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'HR_PRECONDITION' });
    });

    it('keep their salt through every change, retirement included', async () => {
      const { salt, revision } = await registry.endpoints.get('delay');
      await register();
      await apply({ ...flightsManifest, endpoints: {} }, true);
      await expect(registry.endpoints.get('delay')).rejects.toMatchObject({ code: 'HR_UNKNOWN_ENDPOINT' });
      await apply(flightsManifest);
      const back = await registry.endpoints.get('delay');
      expect(back).toMatchObject({ salt, variants: [] });
      expect(back.revision).toBeGreaterThan(revision);
    });

    it('lose their traffic when they change to another model', async () => {
      await register();
      const other: Manifest = {
        ...flightsManifest,
        models: { ...flightsManifest.models, other: { ...delayModel, name: 'other' } },
        endpoints: { delay: { name: 'delay', model: 'other', unit: ['origin'], whenStoreDown: 'fail' } },
      };
      await expect(apply(other)).rejects.toMatchObject({ code: 'HR_BREAKING_CHANGE' });
      await apply(other, true);
      expect(await registry.endpoints.get('delay')).toMatchObject({ model: 'other', variants: [] });
    });

    it('are known by name, with the nearest for one that is not', async () => {
      await expect(registry.endpoints.get('dealy')).rejects.toThrow('Did you mean "delay"?');
      expect((await registry.endpoints.list()).map((endpoint) => endpoint.name)).toEqual(['delay']);
    });
  });

  describe('the change token', () => {
    it('grows with every change and with nothing else', async () => {
      const tokens = [await registry.changeToken()];
      const note = async () => tokens.push(await registry.changeToken());
      await apply(flightsManifest);
      await note();
      await register();
      await note();
      await registry.models.setAlias(MODEL, 'champion', 1, 'ann');
      await note();
      await registry.endpoints.setTraffic('delay', { variants: variants([1, 100]) }, { actor: 'ann' });
      await note();
      expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
      await registry.models.setAlias(MODEL, 'champion', 1, 'ann');
      await expect(register('1', { alias: '!' })).rejects.toThrow();
      expect(await registry.changeToken()).toBe(tokens.at(-1));
    });
  });

  it('keeps an audit record of others, newest first', async () => {
    await registry.auditLog.record({
      actor: 'ann',
      action: 'rollout.abort',
      object: 'endpoint/delay',
      before: { step: 2 },
    });
    await registry.auditLog.record({ actor: 'bob', action: 'rollout.start', object: 'endpoint/delay' });
    const entries = await registry.auditLog.list({ object: 'endpoint/delay', limit: 1 });
    expect(entries).toMatchObject([
      { actor: 'bob', action: 'rollout.start', atMicros: NOW, before: null, after: null },
    ]);
  });
});
