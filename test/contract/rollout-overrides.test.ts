// Traffic that somebody sets while a rollout is under way, on each database: the candidate never has traffic that nobody guards.

import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openExperiments } from '../../src/rollouts/index.ts';
import { databasesByTier } from '../support/databases.ts';
import { flightsManifest, trial } from '../support/manifests.ts';
import { ANN, ENDPOINT, inRolloutWorlds, type RolloutWorld, SECOND } from '../support/rollout-world.ts';

const HEALTHY = { units: 200, stable: { error: 0.004 }, candidate: { error: 0.004 } } as const;

describe.each(databasesByTier('rollout_overrides'))('a rollout on $name that somebody overrides', (databases) => {
  let world: RolloutWorld;
  inRolloutWorlds(databases, (opened) => (world = opened));

  const override = (traffic: Parameters<typeof world.registry.endpoints.setTraffic>[1], waitMs = 0) =>
    world.registry.endpoints.setTraffic(ENDPOINT, traffic, { actor: 'bob', override: true, reason: 'on fire', waitMs });
  const split = (weight: number, more: readonly { name: string; version: number; weight: number }[] = []) => ({
    variants: [
      { name: 'stable', version: 1, weight: 100 - weight - more.reduce((sum, other) => sum + other.weight, 0) },
      { name: 'candidate', version: 2, weight },
      ...more,
    ],
  });
  const endpoint = () => world.registry.endpoints.get(ENDPOINT);
  const openTrial = async () => {
    const { database, registry, now } = world;
    await registry.definitions.apply({ ...flightsManifest, experiments: { trial } }, { actor: 'ann' });
    return openExperiments({ database, registry, clock: { nowMicros: now } });
  };
  const begin = async (plan: Parameters<typeof world.start>[0] = {}) => {
    const { rollout } = await world.start(plan);
    await world.run(6, HEALTHY);
    return rollout;
  };
  const state = async () => (await world.shown()).rollout;
  const expectPromoted = async (): Promise<void> => {
    const shown = await world.run(120, HEALTHY, ({ rollout }) => rollout.endedMicros !== null);
    expect(shown.rollout.state).toBe('promoted');
  };
  /** Servers are loading the second step. */
  const untilSecondStep = () =>
    world.run(30, HEALTHY, ({ rollout }) => rollout.state === 'preparing' && rollout.step === 2);
  const shadow = [{ version: 3, percent: 10 }];
  /** Its guards act as before. */
  const expectGoesBack = async (): Promise<void> => {
    const harmful = { ...HEALTHY, candidate: { error: 0.3 } };
    const shown = await world.run(60, harmful, (one) => one.rollout.state === 'rolled_back');
    expect(shown.rollout.state).toBe('rolled_back');
    expect(await world.weights()).toEqual({ 'stable 1': 100 });
  };

  it('beside its split keeps the traffic, and goes on', async () => {
    const rollout = await begin();
    const { variants } = await endpoint();
    await override({ variants, shadows: shadow });
    // Servers load the shadow: the step is not left, and its guards see what there is.
    await world.look();
    expect(await state()).toMatchObject({ state: 'watching', step: 1 });
    await world.run(2, HEALTHY);
    const now = await endpoint();
    expect(now).toMatchObject({ rollout: rollout.id, shadows: [{ version: 3 }], variants });
    const taken = await world.shown();
    expect(taken.rollout).toMatchObject({ state: 'watching', step: 1, revision: now.revision, reason: null });
    const reason = "bob changed the endpoint's traffic beside it: on fire";
    expect(taken.events.at(-1)).toMatchObject({ from: 'watching', to: 'watching', actor: 'bob', reason });
    await expectPromoted();
    expect((await endpoint()).shadows).toEqual(shadow);
  });

  it('for an experiment that starts, is reweighed and stops keeps the traffic, and goes on', async () => {
    const experiments = await openTrial();
    const rollout = await begin({ holdMicros: 60 * SECOND });
    const { variants } = await endpoint();
    const by = { actor: 'bob', override: true, reason: 'the sale ends' };
    const changes = [
      () => experiments.start('trial', by),
      () => experiments.reweigh('trial', { control: 20, treatment: 20 }, by),
      () => experiments.stop('trial', by),
    ];
    for (const change of changes) {
      let isDone = false;
      const changed = change().finally(() => (isDone = true));
      while (!isDone) {
        await world.serve();
        await delay(20);
      }
      await changed;
      await world.run(2, HEALTHY);
      expect(await endpoint()).toMatchObject({ rollout: rollout.id, variants });
      expect(await state()).toMatchObject({ state: 'watching', step: 1 });
    }
    expect((await endpoint()).experiments).toEqual([]);
    await expectGoesBack();
  });

  it('for an experiment that ends does not wait for a step that servers are loading', async () => {
    const experiments = await openTrial();
    world.servers.clear();
    await experiments.start('trial', { actor: 'ann', waitMs: 0 });
    for (const server of ['a', 'b']) world.servers.add(server);
    const { rollout } = await world.start();
    await world.serve();
    await world.look();
    expect((await state()).state).toBe('preparing');
    const by = { actor: 'bob', override: true, reason: 'the sale ends', waitMs: 0 };
    const ended = await experiments.stop('trial', by);
    expect(ended.phases.at(-1)).toMatchObject({ state: 'ended' });
    const stopped = await world.run(2, HEALTHY);
    expect(await endpoint()).toMatchObject({ rollout: rollout.id, experiments: [] });
    expect(stopped.rollout).toMatchObject({ state: 'preparing', step: 1 });
    await expectPromoted();
  });

  it('while a step is being loaded asks for the step again', async () => {
    await world.start();
    await untilSecondStep();
    await override({ variants: (await endpoint()).variants, shadows: shadow });
    await world.look();
    expect(await state()).toMatchObject({ state: 'preparing', step: 2 });
    await world.run(1, HEALTHY);
    expect(await state()).toMatchObject({ state: 'watching', step: 1 });
    expect(await world.weights()).toEqual({ 'stable 1': 90, 'candidate 2': 10 });
    await expectPromoted();
  });

  it('with other weights of its arms is paused at them, and goes on from there', async () => {
    const rollout = await begin({ steps: [10, 50, 75, 100] });
    await override(split(60));
    const taken = await world.run(3, HEALTHY);
    expect(taken.rollout).toMatchObject({ state: 'paused', step: 2, pausedBy: 'controller' });
    expect(taken.rollout.reason).toMatch(/^bob gave the candidate 60 %: on fire; /);
    expect((await endpoint()).rollout).toBe(rollout.id);
    expect(taken.weights).toEqual({ stable: 40, candidate: 60 });
    await world.rollouts.resume(rollout.id, ANN);
    const next = await world.run(60, HEALTHY, (one) => one.rollout.state === 'settling');
    expect(next.weights).toEqual({ stable: 25, candidate: 75 });
  });

  it('with other weights of its arms is taken back where it breaches there', async () => {
    await begin();
    await override(split(60));
    await expectGoesBack();
  });

  it('with another version in its split ends, and its candidate is left nothing', async () => {
    const rollout = await begin();
    const asked = await override(split(20, [{ name: 'other', version: 3, weight: 30 }]));
    expect(asked).toMatchObject({ rollout: rollout.id, change: { endsRollout: rollout.id } });
    // Until servers have loaded it the split is guarded.
    await world.look();
    expect((await state()).state).toBe('watching');
    await world.serve();
    await world.look();
    expect(await state()).toMatchObject({ state: 'aborted', reason: 'bob set the traffic: on fire' });
    expect(await world.weights()).toEqual({ 'stable 1': 70, 'other 3': 30 });
    expect((await endpoint()).rollout).toBeNull();
  });

  it('in vain, as a server can not load that, goes on', async () => {
    await begin();
    await override(split(20, [{ name: 'other', version: 3, weight: 30 }]));
    await world.serve({ b: 'HR_MODEL_UNREADABLE: truncated' });
    await world.look();
    expect(await endpoint()).toMatchObject({ rollout: 'r1', change: { state: 'failed' } });
    await expectGoesBack();
  });

  it('is paused where servers never load that, and taken up once they do', async () => {
    await world.start({ maxHoldMicros: 60 * SECOND });
    await untilSecondStep();
    const beside = { variants: (await endpoint()).variants, shadows: shadow };
    const { change } = await override(beside);
    for (let second = 0; second < 62; second++) {
      world.later(SECOND);
      await world.look();
    }
    const paused = await state();
    expect(paused).toMatchObject({ state: 'paused', step: 1, pausedFrom: 'watching', pausedBy: 'controller' });
    expect(paused.reason).toMatch(/^not decided after .*servers have yet to load what somebody set beside it$/);
    // It is not taken back.
    expect((await endpoint()).change).toMatchObject({ state: 'preparing', revision: change.revision });
    await world.run(2, HEALTHY);
    expect(await endpoint()).toMatchObject({ shadows: [{ version: 3 }], revision: change.revision });
    expect(await state()).toMatchObject({ state: 'paused', step: 1, revision: change.revision });
    await expectGoesBack();
  });

  it('is paused by a person without taking that back', async () => {
    const { rollout } = await world.start();
    await untilSecondStep();
    const { change } = await override(split(60));
    await world.rollouts.pause(rollout.id, ANN);
    expect((await endpoint()).change).toMatchObject({ state: 'preparing', revision: change.revision });
    await world.run(2, HEALTHY);
    expect(await world.weights()).toEqual({ 'stable 1': 40, 'candidate 2': 60 });
    expect(await state()).toMatchObject({ state: 'paused', pausedBy: 'person' });
    expect((await world.shown()).events.at(-1)?.reason).toContain('a person’s pause holds it there');
  });

  it('before its first step is guarded at the weights that it is given', async () => {
    const { rollout } = await world.start();
    await world.serve();
    await world.rollouts.pause(rollout.id, ANN);
    await override(split(20));
    await world.serve();
    await world.look();
    expect(await world.weights()).toEqual({ 'stable 1': 80, 'candidate 2': 20 });
    expect((await endpoint()).rollout).toBe(rollout.id);
    expect(await state()).toMatchObject({ state: 'paused', pausedBy: 'person', step: 1 });
    await world.rollouts.resume(rollout.id, ANN);
    await expectGoesBack();
  });

  it('by the candidate, while servers load what would have ended it, goes on', async () => {
    const { rollout } = await world.start();
    await world.serve();
    await world.look();
    expect(await state()).toMatchObject({ state: 'preparing', step: 1 });
    await override({ variants: [{ name: 'stable', version: 3, weight: 100 }] });
    expect((await endpoint()).change).toMatchObject({ endsRollout: rollout.id });
    await override(split(20));
    await world.run(2, HEALTHY);
    expect(await world.weights()).toEqual({ 'stable 1': 80, 'candidate 2': 20 });
    expect(await endpoint()).toMatchObject({ rollout: rollout.id });
    expect(await state()).toMatchObject({ state: 'paused', pausedBy: 'controller', step: 1 });
    await expectGoesBack();
  });
});
