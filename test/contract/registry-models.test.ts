// Versions of models and their aliases, on each database.

import { beforeEach, describe, expect, it } from 'vitest';
import { contentHash } from '../../src/core/index.ts';
import { emptyManifest, flightsManifest } from '../support/manifests.ts';
import { artifact, MODEL, NOW, onEachRegistry } from '../support/registries.ts';

onEachRegistry('models in the registry', (given) => {
  const { apply, register } = given;
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
      expect(await given.registry.models.get(MODEL, 1)).toEqual(first);
      expect(await given.registry.models.versions(MODEL)).toHaveLength(2);
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
      expect((await given.registry.models.resolve(MODEL, 'champion')).version).toBe(1);
      expect((await given.registry.models.resolve(MODEL, '2')).version).toBe(2);
      expect((await given.registry.models.resolve(MODEL, 'latest')).version).toBe(2);
      await given.registry.models.setAlias(MODEL, 'champion', 2, 'bob');
      expect((await given.registry.models.resolve(MODEL, 'champion')).version).toBe(2);
      expect((await given.registry.models.get(MODEL, 1)).aliases).toEqual([]);
      const [entry] = await given.registry.auditLog.list({ object: `model/${MODEL}` });
      expect(entry).toMatchObject({ actor: 'bob', before: { version: 1 }, after: { version: 2 } });
    });

    it('takes an alias away; what it pointed at stays', async () => {
      await register('1', { alias: 'champion' });
      expect(await given.registry.models.removeAlias(MODEL, 'champion', 'ann')).toMatchObject({
        version: 1,
        aliases: [],
      });
      await expect(given.registry.models.resolve(MODEL, 'champion')).rejects.toMatchObject({
        code: 'HR_UNKNOWN_MODEL',
      });
      for (const name of ['1', 'latest'])
        await expect(given.registry.models.removeAlias(MODEL, name, 'ann')).rejects.toMatchObject({
          code: 'HR_INVALID',
        });
    });

    it('names the nearest model or alias to one that is unknown', async () => {
      await register('1', { alias: 'champion' });
      await expect(given.registry.models.versions('delay_clasifier')).rejects.toThrow(
        'Did you mean "delay_classifier"?',
      );
      await expect(given.registry.models.resolve(MODEL, 'champoin')).rejects.toThrow('Did you mean "champion"?');
      await expect(given.registry.models.get(MODEL, 7)).rejects.toMatchObject({ code: 'HR_UNKNOWN_MODEL' });
      for (const model of ['other', 'constructor']) {
        await expect(register('1', { model })).rejects.toMatchObject({ code: 'HR_UNKNOWN_MODEL' });
      }
    });

    it('refuses a metric that is no finite number and an alias that looks like a version', async () => {
      await expect(register('1', { metrics: { auc: Number.NaN } })).rejects.toMatchObject({ code: 'HR_INVALID' });
      await expect(register('1', { alias: '3' })).rejects.toMatchObject({ code: 'HR_INVALID' });
      expect(await given.registry.models.versions(MODEL)).toEqual([]);
    });

    it('lists models with their number of versions and aliases', async () => {
      expect(await given.registry.models.list()).toEqual([
        { name: MODEL, service: 'delay_features', versions: 0, aliases: {} },
      ]);
      await register('1', { alias: 'champion' });
      await apply(emptyManifest, true);
      expect(await given.registry.models.list()).toEqual([
        { name: MODEL, service: null, versions: 1, aliases: { champion: 1 } },
      ]);
    });
  });
});
