// A rollout that looks again after the database was away, before any server has told of itself since: nobody's word is no consent.

import { describe, expect, it } from 'vitest';
import { databasesByTier } from '../support/databases.ts';
import { inRolloutWorlds, type RolloutWorld, SECOND } from '../support/rollout-world.ts';

const AWAY = 60 * SECOND;

describe.each(databasesByTier('rollouts after a silence'))('a rollout after a silence, on $name', (databases) => {
  let world: RolloutWorld;
  inRolloutWorlds(databases, (opened) => (world = opened));

  const state = async (): Promise<string> => (await world.shown()).rollout.state;
  const look = async (): Promise<string> => {
    await world.look();
    world.later(SECOND);
    return state();
  };

  it('leaves preparing only once servers say that they have loaded the candidate', async () => {
    await world.start();
    await world.serve();
    expect(await look()).toBe('preparing');
    world.later(AWAY);
    expect(await look()).toBe('preparing');
    expect(await world.weights()).toEqual({ 'stable 1': 100 });
    await world.serve();
    expect(await look()).toBe('settling');
  });

  it('goes back where one says then that it can not load it', async () => {
    await world.start();
    await world.serve();
    await look();
    world.later(AWAY);
    await look();
    await world.serve({ b: 'no such operator' });
    await look();
    const { rollout } = await world.shown();
    expect(rollout.reason).toMatch(/version 2 can not be served: host 98: no such operator/);
    expect(rollout.state).toMatch(/rolling_back|rolled_back/);
  });

  it('leaves settling only once servers say that they answer by it', async () => {
    await world.start();
    await world.serve();
    await look();
    await world.serve();
    expect(await look()).toBe('settling');
    world.later(AWAY);
    expect(await look()).toBe('settling');
    expect(await look()).toBe('settling');
    await world.serve();
    expect(await look()).toBe('watching');
  });
});
