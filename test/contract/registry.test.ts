import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { contentHash, fixedClock } from '../../src/core/index.ts';
import type { Manifest } from '../../src/definitions/index.ts';
import { openRegistry, type Registry } from '../../src/registry/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import {
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
        ['airport_delays', ['features.mean_delay_7d: + mean(delay) over 7d, hop 1h']],
        ['delay_features', ['members.origin.features: + mean_delay_7d']],
      ]);
      expect(plan.breaking).toEqual([]);
    });

    it('refuses to remove a feature that an endpoint uses, unless told to', async () => {
      await apply(flightsManifestWith([lastDelay, meanDelay7d]));
      const next = flightsManifestWith([lastDelay]);
      const plan = await registry.definitions.plan(next);
      expect(plan.breaking.map(({ object, name }) => `${object} ${name}`)).toEqual(['view airport_delays']);
      expect(plan.breaking[0]?.breaking).toContain('endpoint "delay" uses feature "origin__mean_delay_7d"');
      await expect(apply(next)).rejects.toMatchObject({
        code: 'HR_BREAKING_CHANGE',
        details: [{ path: 'view airport_delays' }],
      });
      expect((await registry.definitions.current())?.revision).toBe(1);
      expect((await apply(next, true)).revision).toBe(2);
    });

    it('takes the removal of a feature that no endpoint uses', async () => {
      await apply({ ...flightsManifestWith([lastDelay, meanDelay7d]), endpoints: {} });
      expect((await apply({ ...flightsManifestWith([lastDelay]), endpoints: {} })).revision).toBe(2);
    });

    it('finds a changed type of a feature, of a key, of a request column breaking', async () => {
      await apply(flightsManifest);
      const feature = flightsManifestWith([lastDelay, { ...flights1d, type: { kind: 'int32' } }, meanDelay7d]);
      const key: Manifest = {
        ...flightsManifest,
        entities: { airport: { name: 'airport', keys: [{ name: 'airport', type: { kind: 'int64' } }] } },
      };
      const departure = flightsManifest.onDemandViews['departure'];
      const request: Manifest = {
        ...flightsManifest,
        onDemandViews:
          (departure && {
            departure: {
              ...departure,
              inputs: [
                { kind: 'request', name: 'request', columns: [{ name: 'scheduled_at', type: { kind: 'string' } }] },
              ],
            },
          }) ||
          {},
      };
      const reasons = async (manifest: Manifest) =>
        (await registry.definitions.plan(manifest)).breaking.map(({ object, breaking }) => `${object}: ${breaking}`);
      expect(await reasons(feature)).toEqual(['view: feature "flights_1d" changes type from int64 to int32']);
      expect((await reasons(key))[0]).toContain('entity: its keys change from (airport: string) to (airport: int64)');
      expect(await reasons(request)).toEqual([
        'onDemandView: request column "scheduled_at" of service "delay_features" changes type from timestamp to string',
      ]);
    });

    it('finds the removal of a model with versions and of an endpoint with traffic breaking', async () => {
      await apply(flightsManifest);
      const none = { ...flightsManifest, endpoints: {}, models: {} };
      expect((await registry.definitions.plan(none)).breaking).toEqual([]);
      await register();
      expect(
        (await registry.definitions.plan(none)).breaking.map(({ object, breaking }) => [object, breaking]),
      ).toEqual([
        ['model', 'it has 1 registered version'],
        ['endpoint', 'it has traffic'],
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
