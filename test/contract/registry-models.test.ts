// Versions of models and their aliases, and plain models, on each database.

import { beforeEach, describe, expect, it } from 'vitest';
import { contentHash } from '../../src/core/index.ts';
import { registryRows } from '../../src/registry/index.ts';
import { blobKey } from '../../src/storage/index.ts';
import { emptyManifest, flightsManifest } from '../support/manifests.ts';
import { refused } from '../support/refused.ts';
import { artifact, MODEL, NOW, onEachRegistry } from '../support/registries.ts';

onEachRegistry('models in the registry', (given) => {
  const { apply, register } = given;

  describe('models', () => {
    beforeEach(() => apply(flightsManifest));
    const resolved = async (name: string) => (await given.models.resolve(MODEL, name)).version;

    it('numbers the versions of a model from 1, and remembers where each came from', async () => {
      const told = { trainingSet: 'ts-1', metrics: { auc: 0.75 }, runId: 'run-1' };
      const first = await register('1', told);
      const made = { service: 'delay_features', manifestHash: contentHash(flightsManifest), createdAtMicros: NOW };
      expect(first).toMatchObject({ version: 1, artifact: artifact('1'), ...told, ...made });
      expect((await register('2')).version).toBe(2);
      expect(await given.models.get(MODEL, 1)).toEqual(first);
      expect(await given.models.versions(MODEL)).toHaveLength(2);
    });

    it('keeps what rows showed, and what the registration says of them', async () => {
      const { models, plainModels } = given;
      expect(await register('1')).toMatchObject({
        rowsVerdict: null,
        spec: expect.not.objectContaining({ batch: true }),
      });
      await register('2', { rowsVerdict: 'dependent', batch: true });
      expect(await models.get(MODEL, 2)).toMatchObject({ rowsVerdict: 'dependent', spec: { batch: true } });
      const plain = { model: 'spam', artifact: artifact('1'), signature: {}, actor: 'ann' };
      expect(await plainModels.register(plain)).toMatchObject({ batch: null, rowsVerdict: null });
      await plainModels.register({ ...plain, batch: false, rowsVerdict: 'independent' });
      expect((await plainModels.find('spam'))?.versions[1]).toMatchObject({ batch: false, rowsVerdict: 'independent' });
    });

    it('gives each of many at once a version of its own', async () => {
      const made = await Promise.all(Array.from({ length: 8 }, () => register()));
      expect(made.map((version) => version.version).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    });

    it('gives a resumed run the version that it made before, or another where that is retired', async () => {
      const versionOf = async (runId: string) => (await register('1', { runId })).version;
      expect([await versionOf('run-1'), await versionOf('run-1'), await versionOf('run-2')]).toEqual([1, 1, 2]);
      await given.models.retire(MODEL, 2, 'ann');
      expect(await register('2', { runId: 'run-2' })).toMatchObject({ version: 3, isRetired: false });
    });

    it('resolves a number, an alias, and latest, which is the newest that is not retired; an alias moves', async () => {
      await register('1', { alias: 'champion' });
      await register('2');
      expect([await resolved('champion'), await resolved('2'), await resolved('latest')]).toEqual([1, 2, 2]);
      await given.models.setAlias(MODEL, 'champion', 2, 'bob');
      expect(await resolved('champion')).toBe(2);
      expect((await given.models.get(MODEL, 1)).aliases).toEqual([]);
      const [entry] = await given.auditLog.list({ object: `model/${MODEL}` });
      expect(entry).toMatchObject({ actor: 'bob', before: { version: 1 }, after: { version: 2 } });
      await register('3');
      const [registered] = await given.auditLog.list({ object: `model/${MODEL}` });
      expect(registered).toMatchObject({ action: 'model.register', after: { version: 3 } });
      await given.models.retire(MODEL, 3, 'ann');
      expect(await resolved('latest')).toBe(2);
      const variants = [{ name: 'stable', version: 3, weight: 100 }];
      await expect(given.endpoints.setTraffic('delay', { variants }, { actor: 'ann' })).rejects.toThrow(/retired/);
    });

    it('takes an alias away; what it pointed at stays', async () => {
      await register('1', { alias: 'champion' });
      const left = await given.models.removeAlias(MODEL, 'champion', 'ann');
      expect(left).toMatchObject({ version: 1, aliases: [] });
      await refused(resolved('champion'), 'HR_UNKNOWN_MODEL');
      for (const name of ['1', 'latest']) await refused(given.models.removeAlias(MODEL, name, 'ann'), 'HR_INVALID');
    });

    it('names the nearest model or alias to one that is unknown', async () => {
      await register('1', { alias: 'champion' });
      await refused(given.models.versions('delay_clasifier'), 'HR_UNKNOWN_MODEL', 'Did you mean "delay_classifier"?');
      await refused(resolved('champoin'), 'HR_UNKNOWN_MODEL', 'Did you mean "champion"?');
      await refused(given.models.get(MODEL, 7), 'HR_UNKNOWN_MODEL');
      for (const model of ['other', 'constructor']) await refused(register('1', { model }), 'HR_UNKNOWN_MODEL');
    });

    it('refuses a metric that is no finite number and an alias that looks like a version', async () => {
      await refused(register('1', { metrics: { auc: Number.NaN } }), 'HR_INVALID');
      await refused(register('1', { alias: '3' }), 'HR_INVALID');
      expect(await given.models.versions(MODEL)).toEqual([]);
    });

    it('lists models with their number of versions and aliases', async () => {
      const listed = { name: MODEL, service: 'delay_features', versions: 0, aliases: {} };
      expect(await given.models.list()).toEqual([listed]);
      await register('1', { alias: 'champion' });
      await apply(emptyManifest, true);
      const after = { ...listed, service: null, versions: 1, aliases: { champion: 1 } };
      expect(await given.models.list()).toEqual([after]);
    });
  });

  describe('plain models', () => {
    const NAME = 'image_embedder';
    const embedder = { model: NAME, signature: { inputs: [], outputs: [] }, actor: 'ann' };
    const registerPlain = (digit = '1', extra: object = {}) =>
      given.plainModels.register({ ...embedder, artifact: artifact(digit), ...extra });
    const setAlias = (name: string, version: string, model = NAME) =>
      given.plainModels.setAlias(model, name, version, 'ann');

    it('are numbered from 1, whether anything is applied or not', async () => {
      expect(await registerPlain()).toMatchObject({ model: NAME, version: 1, createdAtMicros: NOW, aliases: [] });
      await apply(flightsManifest);
      const second = { version: 2, aliases: ['stable'], metrics: { auc: 0.5 } };
      expect(await registerPlain('2', { alias: 'stable', metrics: { auc: 0.5 } })).toMatchObject(second);
      const [model] = await given.plainModels.list();
      expect(model).toMatchObject({ name: NAME, isUnloaded: false, versions: [{ version: 1 }, { version: 2 }] });
      expect(await given.models.list()).toEqual([expect.objectContaining({ name: MODEL })]);
    });

    it('take no name of a defined model or endpoint, none near to one, and none that is no name', async () => {
      await apply(flightsManifest);
      const named = (model: string) => registerPlain('1', { model });
      for (const model of [MODEL, 'delay']) await refused(named(model), 'HR_CONFLICT');
      await expect(named('delay_clasifier')).rejects.toThrow(`Did you mean "${MODEL}"?`);
      for (const model of ['', '.', '..', '1st', 'a/b', 'a b', 'x'.repeat(101)])
        await refused(named(model), 'HR_INVALID');
      expect(await given.plainModels.list()).toEqual([]);
    });

    it('have aliases that move, and keep what they point at', async () => {
      await registerPlain();
      await registerPlain('2');
      const retire = () => given.plainModels.retire(NAME, '2', 'ann');
      const removeAlias = (name: string) => given.plainModels.removeAlias(NAME, name, 'ann');
      expect(await setAlias('stable', 'latest')).toMatchObject({ version: 2 });
      await refused(retire(), 'HR_CONFLICT');
      expect(await setAlias('stable', '1')).toMatchObject({ aliases: ['stable'] });
      expect(await retire()).toMatchObject({ isRetired: true });
      await refused(setAlias('old', '2'), 'HR_CONFLICT');
      expect(await removeAlias('stable')).toMatchObject({ version: 1, aliases: [] });
      await refused(removeAlias('1'), 'HR_INVALID');
      await refused(setAlias('latest', '1'), 'HR_INVALID');
      await refused(setAlias('stable', '1', 'nothing'), 'HR_UNKNOWN_MODEL');
    });

    it('are unloaded and loaded once for all servers, which see that something changed', async () => {
      await registerPlain();
      const token = await given.changeToken();
      const setLoaded = async (isLoaded: boolean, actor: string, model = NAME) => {
        await given.plainModels.setLoaded(model, isLoaded, { actor });
        return (await given.changeToken()) - token;
      };
      expect([await setLoaded(true, 'ann'), await setLoaded(false, 'ann')]).toEqual([0, 1]);
      expect(await given.plainModels.find(NAME)).toMatchObject({ isUnloaded: true });
      await setLoaded(false, 'bob');
      await setLoaded(true, 'bob');
      expect(await given.plainModels.find(NAME)).toMatchObject({ isUnloaded: false });
      await refused(setLoaded(true, 'ann', 'nothing'), 'HR_UNKNOWN_MODEL');
      const told = await given.auditLog.list({ object: `model/${NAME}`, limit: 10 });
      const expected = ['model.load bob', 'model.unload ann', 'model.register ann'];
      expect(told.map(({ action, actor }) => `${action} ${actor}`)).toEqual(expected);
    });

    it('keep their files from being collected', async () => {
      await registerPlain('7');
      await given.plainModels.retire(NAME, '1', 'ann');
      const keys: string[] = [];
      for await (const { key } of registryRows.objects?.(given.database.tables()) ?? []) keys.push(key);
      expect(keys).toContain(blobKey(artifact('7')));
    });
  });
});
