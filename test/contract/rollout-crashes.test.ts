// A controller that is killed at every step of its work with the database: the next one goes on from the row, and ends where the
// first would have.

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { LeaseToken } from '../../src/storage/index.ts';
import { type DatabaseFaults, Died } from '../support/database-faults.ts';
import { databasesByTier } from '../support/databases.ts';
import { expectConsistent } from '../support/rollout-invariants.ts';
import { openRolloutWorld, type RolloutWorld, SECOND, type Sent } from '../support/rollout-world.ts';

const HEALTHY: Sent = { units: 60 };
const HARMFUL: Sent = { units: 200, candidate: { error: 0.6 } };

describe.each(databasesByTier('killed rollout controllers'))('a controller that is killed, on $name', (databases) => {
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());

  /** A life of a controller, to its death or the rollout's end; gives whether it died. */
  const live = async (world: RolloutWorld, held: LeaseToken, faults: DatabaseFaults, sent: Sent): Promise<boolean> => {
    const controller = await world.newController(faults);
    faults.steps = 0;
    for (let second = 0; second < 60; second++) {
      await world.serve();
      await world.send(sent);
      try {
        await world.look(held, controller);
      } catch (thrown) {
        if (!(thrown instanceof Died)) throw thrown;
        return true;
      } finally {
        world.later(SECOND);
        await expectConsistent(world);
      }
      if ((await world.shown()).rollout.endedMicros !== null) return false;
    }
    throw new Error(`it did not end: ${JSON.stringify((await world.shown()).rollout)}`);
  };

  it.each([
    ['promoted', HEALTHY, 5],
    ['rolled_back', HARMFUL, 3],
  ] as const)('at every step, over and over: it is %s in the end', { timeout: 120_000 }, async (end, sent, stride) => {
    const world = await openRolloutWorld(await databases.newUrl());
    onTestFinished(() => world.close());
    const plan = { steps: [50, 100], holdMicros: 2 * SECOND, bakeMicros: 0, minUnits: 5, cooldownMicros: 0 };
    // Each time one dies a few steps later than the one before; all steps of a look are met by some.
    for (let offset = 1; offset <= stride; offset++) {
      const stable = (await world.registry.endpoints.get('delay')).variants[0]?.version;
      await world.start({ ...plan, candidate: stable === 2 ? 3 : 2 });
      let deaths = 0;
      for (let diesAt = offset; ; diesAt += stride) {
        // A death before anything is done teaches nothing twice.
        const hasDied = await live(world, await world.takeOver(), { diesAt, steps: 0 }, sent);
        if (!hasDied) break;
        deaths++;
      }
      expect(deaths).toBeGreaterThan(3);
      expect((await world.shown()).rollout.state).toBe(end);
    }
  });
});
