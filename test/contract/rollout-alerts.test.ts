// What people are told of rollouts, on each database: once, also where the controller died before it could say so.

import { describe, expect, it } from 'vitest';
import { createAlertDelivery } from '../../src/monitoring/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { Died } from '../support/database-faults.ts';
import { databasesByTier } from '../support/databases.ts';
import { ANN, ENDPOINT, inRolloutWorlds, type RolloutWorld, SECOND, type Sent } from '../support/rollout-world.ts';

const HEALTHY: Sent = { units: 200 };
const HARMFUL: Sent = { units: 200, candidate: { error: 0.5 } };

describe.each(databasesByTier('rollout alerts'))('the alert of a rollout, on $name', (databases) => {
  let world: RolloutWorld;
  inRolloutWorlds(databases, (opened) => (world = opened));

  const events = async (): Promise<string[]> => {
    const sent: string[] = [];
    const of = { database: world.database, clock: { nowMicros: world.now }, logger: silentLogger };
    const send = async ({ body }: { readonly body: string }) => void sent.push(JSON.parse(body).event);
    const delivery = await createAlertDelivery({ ...of, send });
    await delivery.run(new AbortController().signal);
    return sent;
  };
  const open = () => world.alerts.list({ state: 'open' });
  const ended = (): Promise<unknown> => world.run(120, HARMFUL, ({ rollout }) => rollout.endedMicros !== null);

  it('opens once as it goes back, with what broke, and closes when the next begins', async () => {
    const { rollout } = await world.start({ guards: ['error_rate<0.05'] });
    await ended();
    await world.run(5);
    const [alert, ...others] = await world.alerts.list();
    expect(others).toEqual([]);
    const evidence = { id: rollout.id, candidate: 2, state: 'rolling_back', guard: 'error_rate', limit: 0.05 };
    expect(alert).toMatchObject({ rule: 'rollout', endpoint: ENDPOINT, feature: null, state: 'open', evidence });
    expect(alert?.evidence).toHaveProperty('value', expect.closeTo(0.5, 0));
    expect(await events()).toEqual(['opened']);
    await world.start({ candidate: 3 });
    await world.run(1);
    expect(await open()).toEqual([]);
    expect(await events()).toEqual(['closed']);
    await world.run(120, HEALTHY, (shown) => shown.rollout.endedMicros !== null);
    expect(await world.alerts.list()).toHaveLength(1);
    expect(await events()).toEqual([]);
  });

  it('opens for a version that a server can not load, and for a breaker', async () => {
    await world.start();
    await world.serve();
    await world.look();
    await world.serve({ a: 'no such operator' });
    await world.look();
    const reason = expect.stringContaining('no such operator');
    expect(await open()).toMatchObject([{ evidence: { guard: null, reason } }]);
    await world.run(3);
    await world.start({ candidate: 2, force: true });
    await world.run(6, HEALTHY);
    expect(await open()).toEqual([]);
    await world.openBreaker();
    await world.run(2, HEALTHY);
    expect(await open()).toMatchObject([{ evidence: { guard: 'breaker' } }]);
  });

  it('opens where it is paused undecided, not where a person paused it, and closes when a person goes on', async () => {
    const { rollout } = await world.start({ maxHoldMicros: 20 * SECOND, minUnits: 100_000 });
    await world.rollouts.pause(rollout.id, ANN);
    await world.run(2);
    expect(await world.alerts.list()).toEqual([]);
    await world.rollouts.resume(rollout.id, ANN);
    await world.run(60, HEALTHY, (shown) => shown.rollout.state === 'paused');
    await world.run(1, HEALTHY);
    const reason = expect.stringContaining('not decided');
    expect(await open()).toMatchObject([{ evidence: { state: 'paused', reason } }]);
    await world.rollouts.resume(rollout.id, ANN);
    await world.run(1, HEALTHY);
    expect(await open()).toEqual([]);
  });

  it('opens after five minutes blind, and closes when every server is heard of again', async () => {
    await world.start({ holdMicros: 3600 * SECOND });
    await world.run(5, HEALTHY);
    world.late.add('b');
    for (let look = 0; look < 32; look++) {
      world.later(10 * SECOND);
      await world.run(1);
    }
    const reason = expect.stringContaining('blind for 5m');
    expect((await world.shown()).rollout).toMatchObject({ state: 'watching', reason });
    expect(await open()).toMatchObject([{ evidence: { guard: 'servers' } }]);
    world.late.clear();
    await world.run(2, HEALTHY);
    expect(await open()).toEqual([]);
    const shown = await world.shown();
    expect(shown.rollout.reason).toBeNull();
    expect(shown.events.map(({ reason }) => reason)).toContain('no longer blind');
  });

  it('is told by the next controller where one dies at any step between the rollback and the word of it', async () => {
    const seconds = async (count: number, sent: Sent): Promise<void> => {
      const held = await world.takeOver();
      for (let second = 0; second < count; second++) {
        await world.serve();
        await world.send(sent);
        await world.look(held);
        world.later(SECOND);
      }
    };
    let deaths = 0;
    for (let hasDied = true; hasDied; ) {
      const { rollout } = await world.start({ force: true });
      await seconds(4, { units: 20 });
      await world.openBreaker();
      const held = await world.takeOver();
      const faults = { diesAt: deaths + 1, steps: 0 };
      const controller = await world.newController(faults);
      faults.steps = 0;
      hasDied = await world.look(held, controller).then(
        () => false,
        (thrown: unknown) => {
          if (thrown instanceof Died) return true;
          throw thrown;
        },
      );
      await seconds(2, { units: 20 });
      expect(await open(), `died at ${deaths + 1}`).toMatchObject([{ evidence: { id: rollout.id, guard: 'breaker' } }]);
      if (hasDied) deaths++;
    }
    // The rollback alone has as many steps.
    expect(deaths).toBeGreaterThan(5);
  });
});
