// Endpoints and their traffic, on each database.

import { beforeEach, describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/definitions/index.ts';
import type { Traffic } from '../../src/registry/index.ts';
import { delayModel, flightsManifest } from '../support/manifests.ts';
import { MODEL, NOW, onEachRegistry } from '../support/registries.ts';

onEachRegistry('endpoints in the registry', (given) => {
  const { apply, register } = given;
  const variants = (...weights: [version: number, weight: number][]) =>
    weights.map(([version, weight], at) => ({ name: `v${at}`, version, weight }));

  describe('endpoints', () => {
    beforeEach(() => apply(flightsManifest));

    it('come with their definition, without traffic until the first version is registered', async () => {
      expect(await given.registry.endpoints.get('delay')).toMatchObject({
        model: MODEL,
        unit: ['origin'],
        variants: [],
      });
      await register();
      expect((await given.registry.endpoints.get('delay')).variants).toEqual([
        { name: 'stable', version: 1, weight: 100, ranges: [[0, 10_000]] },
      ]);
      await register('2');
      expect((await given.registry.endpoints.get('delay')).variants).toEqual([
        { name: 'stable', version: 1, weight: 100, ranges: [[0, 10_000]] },
      ]);
    });

    it('take traffic whose weights sum to 100 over existing versions', async () => {
      await register();
      await register('2');
      const state = await given.registry.endpoints.setTraffic(
        'delay',
        { variants: variants([1, 90.5], [2, 9.5]) },
        { actor: 'bob', reason: 'a try' },
      );
      expect(await given.registry.endpoints.get('delay')).toEqual(state);
      const [entry] = await given.registry.auditLog.list({ object: 'endpoint/delay' });
      expect(entry).toMatchObject({
        actor: 'bob',
        atMicros: NOW,
        before: { variants: [{ weight: 100 }] },
        after: { variants: state.variants, revision: state.revision },
        reason: 'a try',
      });
    });

    it('take shadows, which stay over a change of the variants alone, and go where none are asked for', async () => {
      await register();
      await register('2');
      const set = async (traffic: Traffic) => {
        await given.registry.endpoints.setTraffic('delay', traffic, { actor: 'bob' });
        return (await given.registry.endpoints.get('delay')).shadows;
      };
      const shadows = [{ version: 2, percent: 12.5 }];
      expect(await set({ variants: variants([1, 100]), shadows: [{ version: 'latest', percent: 12.5 }] })).toEqual(
        shadows,
      );
      expect(await set({ variants: variants([1, 50], [2, 50]) })).toEqual(shadows);
      expect(await set({ variants: variants([1, 100]), shadows: [] })).toEqual([]);
    });

    it('take aliases and latest as what they mean now, and stay there when an alias moves', async () => {
      for (const digit of ['1', '2', '3']) await register(digit);
      await given.registry.models.setAlias(MODEL, 'champion', 2, 'ann');
      const asked = [
        { name: 'stable', version: 'champion', weight: 80 },
        { name: 'candidate', version: 'latest', weight: 15 },
        { name: 'old', version: '1', weight: 5 },
      ];
      const state = await given.registry.endpoints.setTraffic('delay', { variants: asked }, { actor: 'bob' });
      expect(state.variants.map(({ version }) => version)).toEqual([2, 3, 1]);
      const [entry] = await given.registry.auditLog.list({ object: 'endpoint/delay' });
      expect(entry).toMatchObject({ after: { variants: state.variants } });
      await given.registry.models.setAlias(MODEL, 'champion', 3, 'ann');
      await register('4');
      expect(await given.registry.endpoints.get('delay')).toEqual(state);
    });

    it('name the versions and aliases that there are, for one that there is not', async () => {
      const set = (version: string | number) =>
        given.registry.endpoints.setTraffic(
          'delay',
          { variants: [{ name: 'a', version, weight: 100 }] },
          { actor: 'bob' },
        );
      await expect(set('latest')).rejects.toMatchObject({
        code: 'HR_UNKNOWN_MODEL',
        message: `model "${MODEL}" has no version yet; register one first`,
      });
      await register('1');
      await register('2');
      await given.registry.models.setAlias(MODEL, 'champion', 2, 'ann');
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
      const before = await given.registry.endpoints.get('delay');
      const set = (traffic: unknown) =>
        given.registry.endpoints.setTraffic('delay', traffic as { variants: [] }, { actor: 'bob' }); // Wrong on purpose.
      const wrong = [
        { variants: [] },
        { variants: variants([1, 90]) },
        { variants: variants([1, 150], [1, -50]) },
        { variants: variants([1, Number.NaN]) },
        { variants: variants([1, 100], [1, 1e-300]) },
        { variants: variants([1, 50.005], [1, 49.995]) },
        { variants: variants([1, 99.999_999_999], [1, 1e-9]) },
        { variants: variants(...Array.from({ length: 101 }, (_, at): [number, number] => [1, at === 0 ? 99 : 0.01])) },
        {
          variants: [
            { name: 'a', version: 1, weight: 50 },
            { name: 'a', version: 1, weight: 50 },
          ],
        },
        { variants: [{ name: '', version: 1, weight: 100 }] },
        { variants: variants([1, 100]), shadows: [{ version: 1, percent: 101 }] },
        { variants: variants([1, 100]), shadows: [{ version: 1, percent: 0.001 }] },
        { variants: variants([1, 100]), shadows: [1, '1'].map((version) => ({ version, percent: 5 })) },
        { variants: variants([1, 100]), shadows: Array.from({ length: 11 }, () => ({ version: 1, percent: 1 })) },
      ];
      for (const given of wrong) await expect(set(given)).rejects.toMatchObject({ code: 'HR_INVALID' });
      const unknown = { variants: variants([1, 100]), shadows: [{ version: 9, percent: 5 }] };
      await expect(set(unknown)).rejects.toMatchObject({ code: 'HR_UNKNOWN_MODEL' });
      await expect(set({ variants: variants([9, 100]) })).rejects.toMatchObject({ code: 'HR_UNKNOWN_MODEL' });
      expect(await given.registry.endpoints.get('delay')).toEqual(before);
    });

    it('have every weight of two decimals, and a hundred variants at most', async () => {
      await register();
      const set = (...weights: number[]) =>
        given.registry.endpoints.setTraffic(
          'delay',
          { variants: variants(...weights.map((weight): [number, number] => [1, weight])) },
          { actor: 'bob' },
        );
      // 99 × 0.97 and what is left.
      const { variants: all } = await set(3.97, ...Array.from({ length: 99 }, () => 0.97));
      expect(all).toHaveLength(100);
      await expect(set(...Array.from({ length: 5000 }, () => 0.02))).rejects.toMatchObject({
        code: 'HR_INVALID',
        details: [{ path: 'variants', message: 'expected at most 100 variants, got 5000' }],
      });
    });

    it('let one of two operators with the same ETag win', async () => {
      await register();
      const { etag } = await given.registry.endpoints.get('delay');
      const set = (name: string) =>
        given.registry.endpoints.setTraffic(
          'delay',
          { variants: [{ name, version: 1, weight: 100 }] },
          { actor: name, ifMatch: etag },
        );
      const results = await Promise.allSettled([set('ann'), set('bob')]);
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'HR_PRECONDITION' });
    });

    it('keep their salt through every change, retirement included', async () => {
      const { salt, revision } = await given.registry.endpoints.get('delay');
      await register();
      await apply({ ...flightsManifest, endpoints: {} }, true);
      await expect(given.registry.endpoints.get('delay')).rejects.toMatchObject({ code: 'HR_UNKNOWN_ENDPOINT' });
      await apply(flightsManifest);
      const back = await given.registry.endpoints.get('delay');
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
      expect(await given.registry.endpoints.get('delay')).toMatchObject({ model: 'other', variants: [] });
    });

    it('are known by name, with the nearest for one that is not', async () => {
      await expect(given.registry.endpoints.get('dealy')).rejects.toThrow('Did you mean "delay"?');
      expect((await given.registry.endpoints.list()).map((endpoint) => endpoint.name)).toEqual(['delay']);
    });
  });
});
