// What of an endpoint's traffic rollouts and experiments own, on each database.

import { beforeEach, describe, expect, it } from 'vitest';
import { type LiveExperiment, type SetTraffic, versionsIn } from '../../src/registry/index.ts';
import { databasesByTier } from '../support/databases.ts';
import { flightsManifest } from '../support/manifests.ts';
import { MODEL, onEachRegistry } from '../support/registries.ts';

const EXPERIMENT: LiveExperiment = {
  name: 'exp',
  phase: 1,
  seed: 'seed',
  unit: ['origin'],
  namespace: { seed: 'room', ranges: [[0, 0.5]] },
  when: { origin: { $ne: 'ATL' } },
  arms: [
    {
      name: 'control',
      version: 1,
      ranges: [
        [0, 2500],
        [5000, 7500],
      ],
    },
    { name: 'treatment', version: 2, ranges: [[2500, 5000]] },
  ],
};

onEachRegistry(
  'traffic of rollouts and experiments',
  (given) => {
    const { apply, register } = given;
    const split = (weight: number) => ({
      variants: [
        { name: 'stable', version: 1, weight: 100 - weight },
        { name: 'candidate', version: 2, weight },
      ],
    });
    const set = (weight: number, options: Partial<SetTraffic> = {}) =>
      given.registry.endpoints.setTraffic('delay', split(weight), { actor: 'bob', ...options });
    const owner = (id: string) => ({ id, candidate: { name: 'candidate', version: 2 } });
    const get = () => given.registry.endpoints.get('delay');

    beforeEach(async () => {
      await apply(flightsManifest);
      await register();
      await register('2');
    });

    describe('a rollout', () => {
      it('alone changes the traffic from its first change to its last, and moves nobody else', async () => {
        const first = await set(1, { rollout: owner('r-1') });
        expect(first).toMatchObject({
          rollout: 'r-1',
          variants: [{ ranges: [[0, 9900]] }, { ranges: [[9900, 10_000]] }],
        });
        await expect(set(0)).rejects.toMatchObject({
          code: 'HR_ROLLOUT_UNDERWAY',
          status: 409,
          message: expect.stringMatching(
            /rollout "r-1" of endpoint "delay" is under way.*rollout abort delay.*--override/,
          ),
        });
        await expect(set(0, { rollout: owner('r-2') })).rejects.toMatchObject({ code: 'HR_ROLLOUT_UNDERWAY' });
        expect(await get()).toEqual(first);
        expect(await set(5, { rollout: owner('r-1') })).toMatchObject({ variants: [{}, { ranges: [[9500, 10_000]] }] });
        expect(await set(100, { rollout: null })).toMatchObject({ rollout: null });
        expect(await set(0)).toMatchObject({ rollout: null, variants: [{ ranges: [[0, 10_000]] }, { ranges: [] }] });
      });

      it('gives way to an override with a reason, which the audit log keeps', async () => {
        await set(5, { rollout: owner('r-1') });
        await expect(set(0, { override: true })).rejects.toMatchObject({
          code: 'HR_INVALID',
          details: [{ path: 'override', message: expect.stringContaining('X-Reason') }],
        });
        const taken = await set(0, { override: true, reason: 'it hurts' });
        expect(taken).toMatchObject({ rollout: null, change: { endsRollout: 'r-1' } });
        const [entry] = await given.registry.auditLog.list({ object: 'endpoint/delay' });
        expect(entry).toMatchObject({ actor: 'bob', reason: 'it hurts', after: { rollout: null } });
      });

      describe('that is overridden', () => {
        const by = { actor: 'bob', override: true, reason: 'it hurts' };
        const stable = { name: 'stable', version: 1, weight: 60 };
        const ask = async (...variants: readonly { name: string; version: number; weight: number }[]) => {
          const state = await given.registry.endpoints.setTraffic('delay', { variants }, by);
          return {
            rollout: state.rollout,
            weights: Object.fromEntries(state.variants.map((one) => [`${one.name} ${one.version}`, one.weight])),
            width: state.variants.flatMap(({ ranges }) => ranges).reduce((sum, [from, to]) => sum + to - from, 0),
          };
        };
        beforeEach(async () => {
          await register('3');
          await set(5, { rollout: owner('r-1') });
        });

        it('keeps the traffic where its two arms share it', async () => {
          const weights = { 'stable 1': 60, 'candidate 2': 40 };
          expect(await ask(stable, { name: 'candidate', version: 2, weight: 40 })).toMatchObject({
            rollout: 'r-1',
            weights,
          });
        });

        it('ends where anything else does, and the base gets what its candidate would have had', async () => {
          const other = { name: 'other', version: 3, weight: 10 };
          const traffics = [
            [[stable, { name: 'candidate', version: 2, weight: 30 }, other], { 'stable 1': 90, 'other 3': 10 }],
            [[stable, { name: 'mine', version: 2, weight: 30 }, other], { 'stable 1': 90, 'other 3': 10 }],
            [
              [
                { ...stable, version: 3 },
                { name: 'candidate', version: 2, weight: 40 },
              ],
              { 'stable 3': 100 },
            ],
            [[{ ...stable, weight: 100 }], { 'stable 1': 100 }],
            // By hand somebody promotes it.
            [[{ ...stable, version: 2, weight: 100 }], { 'stable 2': 100 }],
            [[{ name: 'candidate', version: 2, weight: 100 }], { 'candidate 2': 100 }],
          ] as const;
          for (const [variants, weights] of traffics) {
            await set(0, { rollout: null });
            await set(5, { rollout: owner('r-1') });
            expect(await ask(...variants)).toEqual({ rollout: null, weights, width: 10_000 });
          }
        });

        it('ends also where it is asked for again while servers are still loading it', async () => {
          await given.registry.servers.report('one', {
            machine: 'm',
            pid: 1,
            startedMicros: 0,
            revision: 1,
            failure: null,
            reads: [],
            folds: [],
            prepared: {},
          });
          const other = { name: 'other', version: 3, weight: 10 };
          const asked = { variants: [{ ...stable, weight: 90 }, other] };
          const override = () => given.registry.endpoints.setTraffic('delay', asked, { ...by, waitMs: 0 });
          expect((await override()).change).toMatchObject({ state: 'preparing', endsRollout: 'r-1' });
          expect((await override()).change).toMatchObject({ state: 'preparing', endsRollout: 'r-1' });
          const mixed = { variants: [stable, { name: 'candidate', version: 2, weight: 30 }, other] };
          const third = await given.registry.endpoints.setTraffic('delay', mixed, { ...by, waitMs: 0 });
          expect(third.change).toMatchObject({
            endsRollout: 'r-1',
            variants: [{ weight: 90 }, { version: 3, weight: 10 }],
          });
        });
      });

      it('keeps its own rows in the transaction that asks for the change: both, or neither', async () => {
        const before = await get();
        const failing = set(5, {
          rollout: owner('r-1'),
          async also(trx) {
            await trx.updateTable('registry_endpoints').set({ salt: 'changed' }).where('name', '=', 'delay').execute();
            throw new Error('another epoch has it');
          },
        });
        await expect(failing).rejects.toThrow('another epoch has it');
        expect(await get()).toEqual(before);
        const after = await set(5, {
          rollout: owner('r-1'),
          async also(trx) {
            await trx.updateTable('registry_endpoints').set({ salt: 'changed' }).where('name', '=', 'delay').execute();
          },
        });
        expect(after).toMatchObject({ salt: 'changed', rollout: 'r-1' });
      });

      it('keeps definitions from taking its endpoint away, its model or its unit', async () => {
        await set(5, { rollout: owner('r-1') });
        const delay = flightsManifest.endpoints['delay'];
        const wrong = [{}, { delay: { ...delay, unit: ['destination'] } }] as (typeof flightsManifest.endpoints)[];
        for (const endpoints of wrong)
          await expect(apply({ ...flightsManifest, endpoints }, true)).rejects.toMatchObject({
            code: 'HR_ROLLOUT_UNDERWAY',
          });
        await set(5, { rollout: null });
        await apply({ ...flightsManifest, endpoints: {} }, true);
      });
    });

    describe('ranges that are given', () => {
      const ask = (variants: readonly object[]) =>
        // Wrong on purpose, here and there.
        given.registry.endpoints.setTraffic(
          'delay',
          { variants } as Parameters<typeof given.registry.endpoints.setTraffic>[1],
          { actor: 'bob' },
        );
      const variant = (name: string, weight: number, ranges?: readonly unknown[]) => ({
        name,
        version: 1,
        weight,
        ...(ranges && { ranges }),
      });

      it('are taken as they are: what is shown can be given back', async () => {
        const ranges = [
          [0, 1000],
          [9000, 10_000],
        ];
        const state = await ask([variant('stable', 80, [[1000, 9000]]), variant('candidate', 20, ranges)]);
        expect(state.variants.map((one) => one.ranges)).toEqual([[[1000, 9000]], ranges]);
        expect((await ask(state.variants)).variants).toEqual(state.variants);
        const moved = await ask([variant('stable', 85), variant('candidate', 15)]);
        expect(moved.variants.map((one) => one.ranges)).toEqual([
          [
            [1000, 9000],
            [9500, 10_000],
          ],
          [
            [0, 1000],
            [9000, 9500],
          ],
        ]);
      });

      it.each([
        ['overlap', [[0, 5000]], [[4999, 9999]], 'variants[1].ranges[0]', 'overlaps [0, 5000)'],
        ['are no buckets', [[0, 5000]], [[5000, 10_001]], 'variants[1].ranges[0]', '0 ≤ from < to ≤ 10000'],
        [
          'are not as wide as the weight',
          [[0, 5000]],
          [[5000, 9000]],
          'variants[1].ranges',
          'expected 50 % of 10000 buckets',
        ],
        ['are not of all variants', [[0, 5000]], undefined, 'variants[1].ranges', 'of all variants, or of none'],
      ])('that %s are refused', async (_what, one, other, path, message) => {
        const before = await get();
        await expect(ask([variant('stable', 50, one), variant('candidate', 50, other)])).rejects.toMatchObject({
          code: 'HR_INVALID',
          details: [{ path, message: expect.stringContaining(message) }],
        });
        expect(await get()).toEqual(before);
      });
    });

    describe('an experiment', () => {
      const run = (experiments: readonly LiveExperiment[]) =>
        given.registry.endpoints.setTraffic('delay', { ...split(0), experiments }, { actor: 'bob' });

      it('runs by the same change as traffic, goes on when that changes, and needs its versions', async () => {
        await given.registry.endpoints.setTraffic(
          'delay',
          { variants: [{ name: 'stable', version: 1, weight: 100 }], experiments: [EXPERIMENT] },
          { actor: 'bob' },
        );
        const state = await get();
        expect(state.experiments).toEqual([EXPERIMENT]);
        expect([...versionsIn(state)]).toEqual([1, 2]);
        await expect(given.registry.models.retire(MODEL, 2, 'ann')).rejects.toThrow(/delay/);
        expect((await set(0)).experiments).toEqual([EXPERIMENT]);
        expect((await run([])).experiments).toEqual([]);
      });

      it('is refused with all that is wrong in it', async () => {
        const before = await get();
        const [control] = EXPERIMENT.arms;
        const wrong = {
          ...EXPERIMENT,
          seed: '',
          unit: [],
          when: { origin: { $inn: [] } },
          namespace: { seed: 'room', ranges: [[0.5, 1.5]] as const },
          arms: [
            {
              name: 'control',
              version: 1,
              ranges: [
                [0, 2500],
                [2400, 2600],
              ] as const,
            },
            { name: 'control', version: 2, ranges: [] },
          ],
        };
        await expect(run([wrong])).rejects.toMatchObject({
          code: 'HR_INVALID',
          details: [
            { path: 'experiments[0].seed' },
            { path: 'experiments[0].unit' },
            { path: 'experiments[0].when' },
            { path: 'experiments[0].arms[1].name' },
            {
              path: 'experiments[0].arms[0].ranges[1]',
              message: '[2400, 2600) overlaps [0, 2500), which experiments[0].arms[0].ranges[0] has',
            },
            { path: 'experiments[0].namespace.ranges[0]' },
          ],
        });
        const overlapping = {
          ...EXPERIMENT,
          arms: [
            { ...control, name: 'a' },
            { ...control, name: 'b' },
          ] as LiveExperiment['arms'],
        };
        await expect(run([overlapping])).rejects.toMatchObject({ code: 'HR_INVALID' });
        for (const range of [
          [5, 5],
          [0, 10_001],
          [0.5, 2],
          [-1, 2],
          [3, 2],
        ] as [number, number][]) {
          const one = { ...EXPERIMENT, arms: [{ name: 'a', version: 1, ranges: [range] }] };
          await expect(run([one])).rejects.toMatchObject({ code: 'HR_INVALID' });
        }
        await expect(run([EXPERIMENT, EXPERIMENT])).rejects.toMatchObject({
          details: [{ path: 'experiments[1].name' }],
        });
        const gone = { ...EXPERIMENT, arms: [{ name: 'a', version: 9, ranges: [[0, 1]] as const }] };
        await expect(run([gone])).rejects.toMatchObject({ code: 'HR_UNKNOWN_MODEL' });
        expect(await get()).toEqual(before);
      });
    });
  },
  databasesByTier,
);
