// Two operators who decide at the same moment, of whom neither has seen what the other did: one of them has decided.

import { describe, expect, it } from 'vitest';
import { databasesByTier } from '../support/databases.ts';
import { expectConsistent } from '../support/rollout-invariants.ts';
import { ANN, inRolloutWorlds, type RolloutWorld } from '../support/rollout-world.ts';

const HEALTHY = { units: 60 };

describe.each(databasesByTier('two operators of a rollout'))('two operators at once, on $name', (databases) => {
  let world: RolloutWorld;
  inRolloutWorlds(databases, (opened) => (world = opened));

  it('promote and abort, beside a look: one wins, and the other is told', async () => {
    for (let round = 0; round < 6; round++) {
      const stable = (await world.registry.endpoints.get('delay')).variants[0]?.version;
      const { rollout } = await world.start({ candidate: stable === 2 ? 3 : 2, force: true });
      await world.run(5, HEALTHY);
      const verbs = round % 2 === 0 ? (['promote', 'abort'] as const) : (['abort', 'promote'] as const);
      const looking = world.look();
      const done = await Promise.allSettled(
        verbs.map((verb) => world.rollouts[verb](rollout.id, { ...ANN, actor: verb, reason: 'at once' })),
      );
      await looking;
      const lost = done.filter((one) => one.status === 'rejected');
      expect(lost).toHaveLength(1);
      expect(lost[0]?.reason).toMatchObject({ code: 'HR_CONFLICT' });
      const { state } = (await world.shown()).rollout;
      expect(['promoted', 'aborted']).toContain(state);
      const actors = (await world.shown()).events.map(({ actor }) => actor);
      expect(actors.filter((actor) => actor === 'promote' || actor === 'abort')).toEqual([
        state === 'promoted' ? 'promote' : 'abort',
      ]);
      await expectConsistent(world);
    }
  });
});
