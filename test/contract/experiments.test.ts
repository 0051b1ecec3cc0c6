// Experiments as they run, on each database: phases, the endpoints they are written into, and what apply may not take away.

import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { fixedClock, HeadraceError } from '../../src/core/index.ts';
import type { ExperimentSpec, Manifest } from '../../src/definitions/index.ts';
import { type Experiments, migrateExperiments, openExperiments, type Phase } from '../../src/rollouts/index.ts';
import type { Registry } from '../../src/registry/index.ts';
import type { Database } from '../../src/storage/index.ts';
import { onePhase, reportOf, useAnalyses } from '../support/experiment-rows.ts';
import { databasesByTier } from '../support/databases.ts';
import { flightsManifest, trial } from '../support/manifests.ts';
import { refused } from '../support/refused.ts';
import { MODEL, NOW, onEachRegistry } from '../support/registries.ts';

useAnalyses();

const withTrial = (over: Partial<ExperimentSpec> = {}): Manifest => ({
  ...flightsManifest,
  experiments: { trial: { ...trial, ...over } },
});
const arms = (phase: Phase | undefined) =>
  phase?.live.arms.map(({ name, ranges }) => `${name} ${JSON.stringify(ranges)}`);
const by = { actor: 'ann', reason: 'a try' };

onEachRegistry(
  'experiments',
  (given) => {
    let experiments: Experiments;
    const register = async () => {
      for (const digit of ['1', '2']) await given.register(digit);
    };
    const running = async () => (await given.endpoints.get('delay')).experiments;

    beforeEach(async () => {
      let seeds = 0;
      experiments = await openExperiments({
        database: given.database,
        registry: given.registry,
        clock: fixedClock(NOW),
        newSeed: () => `seed-${++seeds}`,
      });
      await given.apply(withTrial());
    });

    describe('starting', () => {
      it('is done by nobody but who says so: applying leaves endpoints as they are', async () => {
        await register();
        expect(await running()).toEqual([]);
        expect(await experiments.list()).toMatchObject([
          { name: 'trial', phases: [], endpoints: [{ endpoint: 'delay', state: 'idle' }] },
        ]);
      });

      it('writes arms, seed, unit and phase into the endpoint, by the versions that aliases mean then', async () => {
        await register();
        await given.models.setAlias(MODEL, 'champion', 2, 'ann');
        const when = { origin: { $ne: 'XXX' } };
        const weighed = { control: 1, treatment: 'champion' };
        const given40 = Object.entries(weighed).map(([name, version]) => ({ name, version, weight: 40 }));
        await given.apply(withTrial({ arms: given40, namespace: { name: 'airports', range: [0, 0.5] }, when }));
        const state = await experiments.start('trial', by);
        expect(state.phases).toMatchObject([{ ...by, phase: 1, state: 'running', endedMicros: null }]);
        expect(state.endpoints).toEqual([{ endpoint: 'delay', state: 'active' }]);
        expect(await running()).toEqual([
          {
            name: 'trial',
            phase: 1,
            seed: 'seed-1',
            unit: ['origin'],
            namespace: { seed: 'airports', ranges: [[0, 0.5]] },
            when,
            arms: [
              { name: 'control', version: 1, ranges: [[0, 4000]] },
              { name: 'treatment', version: 2, ranges: [[4000, 8000]] },
            ],
          },
        ]);
        expect((await given.endpoints.get('delay')).variants).toMatchObject([{ name: 'stable', weight: 100 }]);
      });

      it('leaves no phase running where an endpoint refuses, and says why', async () => {
        await refused(experiments.start('trial', by), 'HR_UNKNOWN_MODEL');
        await given.register();
        await refused(experiments.start('trial', by), 'HR_UNKNOWN_MODEL');
        await given.register('2');
        expect((await experiments.start('trial', by)).phases.at(-1)).toMatchObject({ state: 'running' });
        await refused(experiments.start('trial', by), 'HR_CONFLICT', 'runs already');
      });

      it('names what is there where the experiment is not', async () => {
        await refused(experiments.start('tril', by), 'HR_UNKNOWN_EXPERIMENT', {
          message: 'there is no experiment "tril". Did you mean "trial"?',
        });
        await refused(experiments.get('other'), 'HR_UNKNOWN_EXPERIMENT');
      });
    });

    it('keep reports by their snapshot, the newest first, each once', async () => {
      const { metrics, plan } = trial;
      const asked = { name: 'trial', unit: ['origin'], control: 'control', metrics, plan, phases: [onePhase()] };
      const first = await reportOf({ rows: [], outcomes: [] }, asked);
      const second = { ...first, snapshot: 'other', made_at: '2030-01-01T00:00:00Z' };
      for (const report of [first, second, first]) await experiments.keep(report);
      expect((await experiments.reports('trial')).map(({ snapshot }) => snapshot)).toEqual(['other', first.snapshot]);
      expect(await experiments.report('trial', first.snapshot)).toEqual(first);
      expect(await experiments.report('trial', 'none')).toBeUndefined();
      const { phase, made_at, decision } = first;
      const kept = { phase: String(phase), snapshot: first.snapshot, made_at, decision };
      expect((await experiments.reports('trial')).at(-1)).toEqual(kept);
      // Those of an earlier build are told as well.
      const { schema } = given.database.tables();
      await schema.alterTable('experiment_reports').dropColumn('decision').execute();
      await given.database
        .tables<{ headrace_migrations: { name: string } }>()
        .deleteFrom('headrace_migrations')
        .where('name', '=', '002-report-decisions')
        .execute();
      await migrateExperiments(given.database);
      expect((await experiments.reports('trial')).map((report) => report.decision)).toEqual([decision, decision]);
      // By their columns: a list needs no report.
      const tables = given.database.tables<{ experiment_reports: { report: string } }>();
      await tables.updateTable('experiment_reports').set({ report: 'none' }).execute();
      expect(await experiments.reports('trial')).toHaveLength(2);
      expect(await experiments.reports('another')).toEqual([]);
    });

    it('is refused where another may want its units', async () => {
      await given.apply({ ...withTrial(), experiments: { trial, second: { ...trial, name: 'second' } } });
      await register();
      await experiments.start('trial', by);
      await refused(experiments.start('second', by), 'HR_CONFLICT');
      expect((await running()).map(({ name }) => name)).toEqual(['trial']);
    });

    it('started at once share an endpoint: neither takes the other out', async () => {
      const part = (from: number, to: number) => ({ namespace: { name: 'shared', range: [from, to] as const } });
      const second = { ...trial, name: 'second', ...part(0.5, 1) };
      await given.apply({ ...withTrial(), experiments: { trial: { ...trial, ...part(0, 0.5) }, second } });
      await register();
      await Promise.all([experiments.start('trial', by), experiments.start('second', by)]);
      expect((await running()).map(({ name }) => name).toSorted()).toEqual(['second', 'trial']);
    });

    describe('a running experiment', () => {
      beforeEach(async () => {
        await register();
        await experiments.start('trial', by);
      });

      it('gets the next phase by other weights: the same seed, and the fewest buckets move', async () => {
        const { phases } = await experiments.reweigh('trial', { control: 20, treatment: 80 }, by);
        expect(phases.map(({ phase, state }) => `${phase} ${state}`)).toEqual(['1 ended', '2 running']);
        expect(arms(phases[1])).toEqual(['control [[0,2000]]', 'treatment [[2000,10000]]']);
        expect(await running()).toMatchObject([{ phase: 2, seed: 'seed-1' }]);
      });

      it('takes buckets that no arm has, and gives them back', async () => {
        const less = await experiments.reweigh('trial', { treatment: 10 }, by);
        expect(arms(less.phases.at(-1))).toEqual(['control [[0,5000]]', 'treatment [[5000,6000]]']);
        const more = await experiments.reweigh('trial', { treatment: 30 }, by);
        expect(arms(more.phases.at(-1))).toEqual(['control [[0,5000]]', 'treatment [[5000,6000],[8000,10000]]']);
      });

      it('refuses weights that are none, and stays in its phase', async () => {
        for (const weights of [{ control: 90 }, { contrl: 50 }, { control: -1 }, { control: 0.001 }])
          await refused(experiments.reweigh('trial', weights, by), 'HR_INVALID');
        expect(await running()).toMatchObject([{ phase: 1 }]);
      });

      it('stops, and starts anew by another seed', async () => {
        const stopped = await experiments.stop('trial', { actor: 'bob', reason: 'done' });
        expect(stopped.phases).toMatchObject([{ state: 'ended', endedBy: 'bob', endReason: 'done', endedMicros: NOW }]);
        expect(await running()).toEqual([]);
        await refused(experiments.stop('trial', by), 'HR_CONFLICT');
        await experiments.start('trial', by);
        expect(await running()).toMatchObject([{ phase: 2, seed: 'seed-2' }]);
      });

      it('can lose nothing that it uses to an apply, whoever says yes', async () => {
        const refused = { code: 'HR_EXPERIMENT_RUNNING', message: expect.stringContaining('experiments stop trial') };
        await expect(given.apply(flightsManifest, true)).rejects.toMatchObject(refused);
        const foretold = async (manifest: Manifest) => (await given.definitions.plan(manifest)).refused;
        expect(await foretold(flightsManifest)).toMatchObject([refused]);
        expect(await foretold(withTrial())).toEqual([]);
        expect(await foretold(withTrial({ description: 'late flights' }))).toEqual([]);
        await expect(
          given.apply({ ...withTrial(), endpoints: {}, experiments: { trial: { ...trial } } }, true),
        ).rejects.toMatchObject(refused);
        // What else is said of it may change: it goes on by what it was started with.
        await given.apply(withTrial({ description: 'late flights' }));
        expect(await running()).toMatchObject([{ phase: 1 }]);
        await experiments.stop('trial', by);
        expect(await foretold(flightsManifest)).toEqual([]);
        await given.apply(flightsManifest);
        // It is still told of, though it is defined no more.
        expect(await experiments.get('trial')).toMatchObject({ spec: null, phases: [{ phase: 1 }] });
      });

      it('is not there twice where two start it at once', async () => {
        await experiments.stop('trial', by);
        const both = await Promise.allSettled([experiments.start('trial', by), experiments.start('trial', by)]);
        expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
        expect(await running()).toHaveLength(1);
      });
    });

    describe('cut off, or overtaken', () => {
      const clock = fixedClock(NOW);
      const registryBy = (setTraffic: Registry['endpoints']['setTraffic']): Registry => ({
        ...given.registry,
        endpoints: { ...given.endpoints, setTraffic },
      });
      /** Of a process that stops for good, or until `goOn`, once the endpoint has what it was to get. */
      const other = async (): Promise<{ experiments: Experiments; reached: Promise<void>; goOn: () => void }> => {
        const [reached, paused] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        const registry = registryBy(async (...asked) => {
          const state = await given.endpoints.setTraffic(...asked);
          reached.resolve();
          await paused.promise;
          return state;
        });
        const made = await openExperiments({ database: given.database, registry, clock, newSeed: () => 'other' });
        return { experiments: made, reached: reached.promise, goOn: paused.resolve };
      };
      const states = async () => (await experiments.get('trial')).phases.map(({ phase, state }) => `${phase} ${state}`);

      beforeEach(async () => {
        await register();
      });

      it('a phase whose start was cut off is given up by the next, and never comes to life', async () => {
        await experiments.start('trial', by);
        const killed = await other();
        void killed.experiments.reweigh('trial', { control: 20, treatment: 80 }, by);
        await killed.reached;
        await experiments.reweigh('trial', { control: 30, treatment: 70 }, by);
        expect(await states()).toEqual(['1 ended', '2 failed', '3 running']);
        await experiments.stop('trial', by);
        expect(await states()).toEqual(['1 ended', '2 failed', '3 ended']);
        expect(await running()).toEqual([]);
      });

      it('whoever is overtaken by another start is told, and leaves that one be', async () => {
        const slow = await other();
        const first = slow.experiments.start('trial', by);
        await slow.reached;
        await experiments.start('trial', by);
        slow.goOn();
        await refused(first, 'HR_CONFLICT');
        expect(await states()).toEqual(['1 failed', '2 running']);
        expect(await running()).toMatchObject([{ phase: 2, seed: 'seed-1' }]);
      });

      it('a phase that comes to run while another start would give it up runs alone', async () => {
        const [reached, paused] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        const { database } = given;
        const pausing: Database = {
          ...database,
          migrate: async (owner, migrations) => {
            await database.migrate(owner, migrations);
            return pausing;
          },
          // Its last, which makes the phase run, waits before it commits.
          transaction: (work, options) =>
            database.transaction(async (trx) => {
              const made = await work(trx as never);
              if (options?.serializedBy === undefined) {
                reached.resolve();
                await paused.promise;
              }
              return made;
            }, options),
        };
        const { registry } = given;
        const slow = await openExperiments({ database: pausing, registry, clock });
        const first = slow.start('trial', by);
        await reached.promise;
        const second = experiments.start('trial', by);
        void delay(300).then(paused.resolve);
        await refused(second, 'HR_CONFLICT');
        await first;
        expect(await states()).toEqual(['1 running']);
        expect(await running()).toMatchObject([{ phase: 1 }]);
      });

      it.each(['start', 'reweigh'] as const)(
        'nothing runs after a stop that came while a %s was under way',
        async (verb) => {
          if (verb === 'reweigh') await experiments.start('trial', by);
          const slow = await other();
          const changed =
            verb === 'start'
              ? slow.experiments.start('trial', by)
              : slow.experiments.reweigh('trial', { control: 20, treatment: 80 }, by);
          await slow.reached;
          await experiments.stop('trial', by);
          slow.goOn();
          await refused(changed, 'HR_CONFLICT');
          expect(await running()).toEqual([]);
          expect((await states()).filter((one) => !/ended|failed/.test(one))).toEqual([]);
        },
      );

      it('a start that fails after another was cut off leaves nothing in the endpoint', async () => {
        const killed = await other();
        void killed.experiments.start('trial', by);
        await killed.reached;
        const registry = registryBy((...asked) =>
          asked[1].experiments?.length === 1
            ? Promise.reject(new HeadraceError('HR_NOT_PREPARED', 'no room'))
            : given.endpoints.setTraffic(...asked),
        );
        const failing = await openExperiments({ database: given.database, registry, clock });
        await refused(failing.start('trial', by), 'HR_NOT_PREPARED');
        expect(await running()).toEqual([]);
        expect(await states()).toEqual(['1 failed', '2 failed']);
      });

      it('a stop that one endpoint refuses leaves it running at all of them', async () => {
        const { delay } = flightsManifest.endpoints;
        const endpoints = { ...flightsManifest.endpoints, other: { ...delay, name: 'other' } } as Manifest['endpoints'];
        await given.apply({ ...withTrial({ endpoints: ['delay', 'other'] }), endpoints });
        const { variants } = await given.endpoints.get('delay');
        await given.endpoints.setTraffic('other', { variants }, { actor: 'ann' });
        await experiments.start('trial', by);
        const rollout = { id: 'r-1', candidate: { name: 'candidate', version: 2 } };
        await given.endpoints.setTraffic('other', { variants }, { actor: 'ann', rollout });
        await refused(experiments.stop('trial', by), 'HR_ROLLOUT_UNDERWAY');
        expect(await running()).toMatchObject([{ phase: 1 }]);
        expect(await states()).toEqual(['1 running']);
      });

      it('what was left in an endpoint is taken out by a stop', async () => {
        await experiments.start('trial', by);
        const { variants, experiments: left } = await given.endpoints.get('delay');
        await experiments.stop('trial', by);
        await given.endpoints.setTraffic('delay', { variants, experiments: left }, { actor: 'ann', waitMs: 0 });
        expect(await running()).toHaveLength(1);
        await experiments.stop('trial', by);
        expect(await running()).toEqual([]);
      });
    });
  },
  databasesByTier,
);
