// Endpoints and their traffic, and what of it rollouts and experiments own, on each database.

import { beforeEach, describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/definitions/index.ts';
import { type LiveExperiment, type SetTraffic, type Traffic, versionsIn } from '../../src/registry/index.ts';
import { delayModel, flightsManifest } from '../support/manifests.ts';
import { refused } from '../support/refused.ts';
import { MODEL, NOW, onEachRegistry, serverState, traffic } from '../support/registries.ts';

const range = (from: number, to: number) => [from, to] as const;
const arm = (name: string, version: number, ...ranges: LiveExperiment['arms'][number]['ranges']) => ({
  name,
  version,
  ranges,
});
const EXPERIMENT: LiveExperiment = {
  name: 'exp',
  phase: 1,
  seed: 'seed',
  unit: ['origin'],
  namespace: { seed: 'room', ranges: [[0, 0.5]] },
  when: { origin: { $ne: 'ATL' } },
  arms: [arm('control', 1, range(0, 2500), range(5000, 7500)), arm('treatment', 2, range(2500, 5000))],
};

onEachRegistry('endpoints in the registry', (given) => {
  const { apply, register, prepare } = given;
  const get = () => given.endpoints.get('delay');
  // Wrong on purpose, here and there.
  const set = (asked: object, options: Partial<SetTraffic> = {}) =>
    given.endpoints.setTraffic('delay', asked as Traffic, { actor: 'bob', ...options });
  const lastEntry = async () => (await given.auditLog.list({ object: 'endpoint/delay' }))[0];
  const whole = traffic('stable 1 100');
  const rangesOf = ({ variants }: { readonly variants: readonly { readonly ranges: unknown }[] }) =>
    variants.map(({ ranges }) => JSON.stringify(ranges));

  describe('endpoints', () => {
    it('come with their definition, without traffic until the first version is registered', async () => {
      await apply(flightsManifest);
      expect(await get()).toMatchObject({ model: MODEL, unit: ['origin'], variants: [] });
      const first = [{ name: 'stable', version: 1, weight: 100, ranges: [[0, 10_000]] }];
      for (const digit of ['1', '2']) {
        await register(digit);
        expect((await get()).variants).toEqual(first);
      }
    });

    it('take traffic over existing versions, which the audit log tells', async () => {
      await prepare(2);
      const state = await set(traffic('v0 1 90.5', 'v1 2 9.5'), { reason: 'a try' });
      expect(await get()).toEqual(state);
      const before = { variants: [{ weight: 100 }] };
      const after = { variants: state.variants, revision: state.revision };
      expect(await lastEntry()).toMatchObject({ actor: 'bob', atMicros: NOW, reason: 'a try', before, after });
    });

    it('take shadows, which stay over a change of the variants alone, and go where none are asked for', async () => {
      await prepare(2);
      const shadowsOf = async (asked: object) => {
        await set(asked);
        return (await get()).shadows;
      };
      const shadows = [{ version: 2, percent: 12.5 }];
      expect(await shadowsOf({ ...whole, shadows: [{ version: 'latest', percent: 12.5 }] })).toEqual(shadows);
      expect(await shadowsOf(traffic('v0 1 50', 'v1 2 50'))).toEqual(shadows);
      expect(await shadowsOf({ ...whole, shadows: [] })).toEqual([]);
    });

    it('take aliases and latest as what they mean now, and stay there when an alias moves', async () => {
      await prepare(3);
      await given.models.setAlias(MODEL, 'champion', 2, 'ann');
      const asked = ['champion', 'latest', '1'].map((version, at) => ({
        name: `v${at}`,
        version,
        weight: [80, 15, 5][at],
      }));
      const state = await set({ variants: asked });
      expect(state.variants.map(({ version }) => version)).toEqual([2, 3, 1]);
      expect(await lastEntry()).toMatchObject({ after: { variants: state.variants } });
      await given.models.setAlias(MODEL, 'champion', 3, 'ann');
      await register('4');
      expect(await get()).toEqual(state);
    });

    it('name the versions and aliases that there are, for one that there is not', async () => {
      await apply(flightsManifest);
      const to = (version: string | number) => set({ variants: [{ name: 'a', version, weight: 100 }] });
      const none = `model "${MODEL}" has no version yet; register one first`;
      await refused(to('latest'), 'HR_UNKNOWN_MODEL', { message: none });
      await register('1');
      await register('2');
      await given.models.setAlias(MODEL, 'champion', 2, 'ann');
      await refused(to('champoin'), 'HR_UNKNOWN_MODEL', {
        message: `model "${MODEL}" has no version or alias "champoin". Did you mean "champion"? It has versions 1 to 2; aliases champion, latest.`,
      });
      await refused(to(9), 'HR_UNKNOWN_MODEL', 'no version or alias "9". It has versions 1 to 2');
    });

    // Which traffic makes no sense: test/unit/registry-traffic.test.ts.
    it('refuse what makes no sense, and stay as they were', async () => {
      await prepare(1);
      const before = await get();
      await refused(set(traffic('v0 1 90')), 'HR_INVALID');
      await refused(set({ ...whole, shadows: [{ version: 9, percent: 5 }] }), 'HR_UNKNOWN_MODEL');
      await refused(set(traffic('v0 9 100')), 'HR_UNKNOWN_MODEL');
      await refused(set({ ...whole, experiments: [{ ...EXPERIMENT, seed: '' }] }), 'HR_INVALID');
      await refused(set({ ...whole, experiments: [EXPERIMENT] }), 'HR_UNKNOWN_MODEL');
      await refused(set({ variants: Array.from({ length: 5000 }, () => whole.variants[0]) }), 'HR_INVALID', {
        details: [{ path: 'variants', message: 'expected at most 100 variants, got 5000' }],
      });
      expect(await get()).toEqual(before);
    });

    it('let one of two operators with the same ETag win', async () => {
      await prepare(1);
      const { etag } = await get();
      const results = await Promise.allSettled(
        ['ann', 'bob'].map((name) => set(traffic(`${name} 1 100`), { actor: name, ifMatch: etag })),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'HR_PRECONDITION' });
    });

    it('keep their salt through every change, retirement included', async () => {
      await apply(flightsManifest);
      const { salt, revision } = await get();
      await register();
      await apply({ ...flightsManifest, endpoints: {} }, true);
      await refused(get(), 'HR_UNKNOWN_ENDPOINT');
      await apply(flightsManifest);
      const back = await get();
      expect(back).toMatchObject({ salt, variants: [] });
      expect(back.revision).toBeGreaterThan(revision);
    });

    it('lose their traffic when they change to another model', async () => {
      await prepare(1);
      const other: Manifest = {
        ...flightsManifest,
        models: { ...flightsManifest.models, other: { ...delayModel, name: 'other' } },
        endpoints: { delay: { name: 'delay', model: 'other', unit: ['origin'], whenStoreDown: 'fail' } },
      };
      await refused(apply(other), 'HR_BREAKING_CHANGE');
      await apply(other, true);
      expect(await get()).toMatchObject({ model: 'other', variants: [] });
    });

    it('are known by name, with the nearest for one that is not', async () => {
      await apply(flightsManifest);
      await refused(given.endpoints.get('dealy'), 'HR_UNKNOWN_ENDPOINT', 'Did you mean "delay"?');
      expect((await given.endpoints.list()).map(({ name }) => name)).toEqual(['delay']);
    });

    it('take ranges that are given as they are: what is shown can be given back, and moves as little as can be', async () => {
      await prepare(1);
      const outer = [range(0, 1000), range(9000, 10_000)];
      const variant = (name: string, weight: number, ranges?: object) => ({
        name,
        version: 1,
        weight,
        ...(ranges && { ranges }),
      });
      const state = await set({ variants: [variant('stable', 80, [[1000, 9000]]), variant('candidate', 20, outer)] });
      expect(rangesOf(state)).toEqual(['[[1000,9000]]', '[[0,1000],[9000,10000]]']);
      expect((await set({ variants: state.variants })).variants).toEqual(state.variants);
      const moved = await set({ variants: [variant('stable', 85), variant('candidate', 15)] });
      expect(rangesOf(moved)).toEqual(['[[1000,9000],[9500,10000]]', '[[0,1000],[9000,9500]]']);
    });

    it('run experiments by the same change as traffic, which go on when that changes, and need their versions', async () => {
      await prepare(2);
      await set({ ...whole, experiments: [EXPERIMENT] });
      const state = await get();
      expect(state.experiments).toEqual([EXPERIMENT]);
      expect([...versionsIn(state)]).toEqual([1, 2]);
      await expect(given.models.retire(MODEL, 2, 'ann')).rejects.toThrow(/delay/);
      expect((await set(whole)).experiments).toEqual([EXPERIMENT]);
      expect((await set({ ...whole, experiments: [] })).experiments).toEqual([]);
    });
  });

  describe('a rollout', () => {
    const owner = (id: string) => ({ id, candidate: { name: 'candidate', version: 2 } });
    const split = (weight: number, options: Partial<SetTraffic> = {}) =>
      set(traffic(`stable 1 ${100 - weight}`, `candidate 2 ${weight}`), options);
    const by = { override: true, reason: 'it hurts' };
    beforeEach(() => prepare(3));

    it('alone changes the traffic from its first change to its last, and moves nobody else', async () => {
      const first = await split(1, { rollout: owner('r-1') });
      expect([first.rollout, ...rangesOf(first)]).toEqual(['r-1', '[[0,9900]]', '[[9900,10000]]']);
      const said = /rollout "r-1" of endpoint "delay" is under way.*rollout abort delay.*--override/;
      await refused(split(0), 'HR_ROLLOUT_UNDERWAY', said);
      await refused(split(0), 'HR_ROLLOUT_UNDERWAY', { status: 409 });
      await refused(split(0, { rollout: owner('r-2') }), 'HR_ROLLOUT_UNDERWAY');
      expect(await get()).toEqual(first);
      expect(rangesOf(await split(5, { rollout: owner('r-1') }))[1]).toBe('[[9500,10000]]');
      expect(await split(100, { rollout: null })).toMatchObject({ rollout: null });
      const free = await split(0);
      expect([free.rollout, ...rangesOf(free)]).toEqual([null, '[[0,10000]]', '[]']);
    });

    it('gives way to an override with a reason, which the audit log keeps', async () => {
      await split(5, { rollout: owner('r-1') });
      const why = [{ path: 'override', message: expect.stringContaining('X-Reason') }];
      await refused(split(0, { override: true }), 'HR_INVALID', { details: why });
      expect(await split(0, by)).toMatchObject({ rollout: null, change: { endsRollout: 'r-1' } });
      expect(await lastEntry()).toMatchObject({ actor: 'bob', reason: 'it hurts', after: { rollout: null } });
    });

    it.each([
      // Its two arms share the traffic.
      [['stable 1 60', 'candidate 2 40'], 'r-1', 'stable 1 60,candidate 2 40'],
      // Anything else ends it, and the base gets what its candidate would have had.
      [['stable 1 60', 'candidate 2 30', 'other 3 10'], null, 'stable 1 90,other 3 10'],
      [['stable 1 60', 'mine 2 30', 'other 3 10'], null, 'stable 1 90,other 3 10'],
      [['stable 3 60', 'candidate 2 40'], null, 'stable 3 100'],
      [['stable 1 100'], null, 'stable 1 100'],
      // By hand somebody promotes it.
      [['stable 2 100'], null, 'stable 2 100'],
      [['candidate 2 100'], null, 'candidate 2 100'],
    ])('that is overridden by %j is %s', async (asked, rollout, weights) => {
      await split(5, { rollout: owner('r-1') });
      const { variants, ...state } = await set(traffic(...asked), by);
      expect(variants.map(({ name, version, weight }) => `${name} ${version} ${weight}`).join()).toBe(weights);
      expect(variants.flatMap(({ ranges }) => ranges).reduce((sum, [from, to]) => sum + to - from, 0)).toBe(10_000);
      expect(state.rollout).toBe(rollout);
    });

    it('ends also where that is asked for again while servers are still loading it', async () => {
      await split(5, { rollout: owner('r-1') });
      await given.servers.report('one', serverState({ prepared: {} }));
      const override = async (...asked: string[]) => (await set(traffic(...asked), { ...by, waitMs: 0 })).change;
      const ends = { state: 'preparing', endsRollout: 'r-1', variants: [{ weight: 90 }, { version: 3, weight: 10 }] };
      for (let times = 0; times < 2; times++) expect(await override('stable 1 90', 'other 3 10')).toMatchObject(ends);
      expect(await override('stable 1 60', 'candidate 2 30', 'other 3 10')).toMatchObject(ends);
    });

    it('keeps its own rows in the transaction that asks for the change: both, or neither', async () => {
      const before = await get();
      const also =
        (fails: boolean): SetTraffic['also'] =>
        async (trx) => {
          await trx.updateTable('registry_endpoints').set({ salt: 'changed' }).where('name', '=', 'delay').execute();
          if (fails) throw new Error('another epoch has it');
        };
      const ask = (fails: boolean) => split(5, { rollout: owner('r-1'), also: also(fails) } as Partial<SetTraffic>);
      await expect(ask(true)).rejects.toThrow('another epoch has it');
      expect(await get()).toEqual(before);
      expect(await ask(false)).toMatchObject({ salt: 'changed', rollout: 'r-1' });
    });

    it('keeps definitions from taking its endpoint away, its model or its unit', async () => {
      await split(5, { rollout: owner('r-1') });
      const delay = flightsManifest.endpoints['delay'];
      for (const endpoints of [{}, { delay: { ...delay, unit: ['destination'] } }] as Manifest['endpoints'][])
        await refused(apply({ ...flightsManifest, endpoints }, true), 'HR_ROLLOUT_UNDERWAY');
      await split(5, { rollout: null });
      await apply({ ...flightsManifest, endpoints: {} }, true);
    });
  });
});
