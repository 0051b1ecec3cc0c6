// Plain models on each database: versions, aliases, retiring, loaded or not, and names that are none.

import { describe, expect, it } from 'vitest';
import { registryRows } from '../../src/registry/index.ts';
import { blobKey } from '../../src/storage/index.ts';
import { flightsManifest } from '../support/manifests.ts';
import { artifact, MODEL, NOW, onEachRegistry } from '../support/registries.ts';

onEachRegistry('plain models contract', (given) => {
  const register = (digit = '1', extra: object = {}) =>
    given.registry.plainModels.register({
      model: 'image_embedder',
      artifact: artifact(digit),
      signature: { inputs: [], outputs: [] },
      actor: 'ann',
      ...extra,
    });

  describe('plain models', () => {
    it('are numbered from 1, whether anything is applied or not', async () => {
      expect(await register()).toMatchObject({
        model: 'image_embedder',
        version: 1,
        createdAtMicros: NOW,
        aliases: [],
      });
      await given.apply(flightsManifest);
      expect(await register('2', { alias: 'stable', metrics: { auc: 0.5 } })).toMatchObject({
        version: 2,
        aliases: ['stable'],
        metrics: { auc: 0.5 },
      });
      const [model] = await given.registry.plainModels.list();
      expect(model).toMatchObject({ name: 'image_embedder', isUnloaded: false });
      expect(model?.versions.map(({ version }) => version)).toEqual([1, 2]);
      expect(await given.registry.models.list()).toEqual([expect.objectContaining({ name: MODEL })]);
    });

    it('take no name of a defined model or endpoint, none near to one, and none that is no name', async () => {
      await given.apply(flightsManifest);
      const named = (model: string) => register('1', { model });
      await expect(named(MODEL)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
      await expect(named('delay')).rejects.toMatchObject({ code: 'HR_CONFLICT' });
      await expect(named('delay_clasifier')).rejects.toThrow(`Did you mean "${MODEL}"?`);
      for (const model of ['', '.', '..', '1st', 'a/b', 'a b', 'x'.repeat(101)])
        await expect(named(model)).rejects.toMatchObject({ code: 'HR_INVALID' });
      expect(await given.registry.plainModels.list()).toEqual([]);
    });

    it('have aliases that move, and keep what they point at', async () => {
      const { plainModels } = given.registry;
      await register();
      await register('2');
      expect(await plainModels.setAlias('image_embedder', 'stable', 'latest', 'ann')).toMatchObject({ version: 2 });
      await expect(plainModels.retire('image_embedder', '2', 'ann')).rejects.toMatchObject({ code: 'HR_CONFLICT' });
      expect(await plainModels.setAlias('image_embedder', 'stable', '1', 'ann')).toMatchObject({ aliases: ['stable'] });
      expect(await plainModels.retire('image_embedder', '2', 'ann')).toMatchObject({ isRetired: true });
      await expect(plainModels.setAlias('image_embedder', 'old', '2', 'ann')).rejects.toMatchObject({
        code: 'HR_CONFLICT',
      });
      expect(await plainModels.removeAlias('image_embedder', 'stable', 'ann')).toMatchObject({
        version: 1,
        aliases: [],
      });
      await expect(plainModels.removeAlias('image_embedder', '1', 'ann')).rejects.toMatchObject({ code: 'HR_INVALID' });
      await expect(plainModels.setAlias('image_embedder', 'latest', '1', 'ann')).rejects.toMatchObject({
        code: 'HR_INVALID',
      });
      await expect(plainModels.setAlias('nothing', 'stable', '1', 'ann')).rejects.toMatchObject({
        code: 'HR_UNKNOWN_MODEL',
      });
    });

    it('are unloaded and loaded once for all servers, which see that something changed', async () => {
      const { plainModels } = given.registry;
      await register();
      const token = await given.registry.changeToken();
      await plainModels.setLoaded('image_embedder', true, { actor: 'ann' });
      expect(await given.registry.changeToken()).toBe(token);
      await plainModels.setLoaded('image_embedder', false, { actor: 'ann' });
      expect(await given.registry.changeToken()).toBe(token + 1);
      expect(await plainModels.find('image_embedder')).toMatchObject({ isUnloaded: true });
      await plainModels.setLoaded('image_embedder', false, { actor: 'bob' });
      await plainModels.setLoaded('image_embedder', true, { actor: 'bob' });
      expect(await plainModels.find('image_embedder')).toMatchObject({ isUnloaded: false });
      await expect(plainModels.setLoaded('nothing', true, { actor: 'ann' })).rejects.toMatchObject({
        code: 'HR_UNKNOWN_MODEL',
      });
      const told = await given.registry.auditLog.list({ object: 'model/image_embedder', limit: 10 });
      expect(told.map(({ action, actor }) => `${action} ${actor}`)).toEqual([
        'model.load bob',
        'model.unload ann',
        'model.register ann',
      ]);
    });

    it('keep their files from being collected', async () => {
      await register('7');
      const { plainModels } = given.registry;
      await plainModels.retire('image_embedder', '1', 'ann');
      const keys: string[] = [];
      for await (const { key } of registryRows.objects?.(given.database.tables()) ?? []) keys.push(key);
      expect(keys).toContain(blobKey(artifact('7')));
    });
  });
});
