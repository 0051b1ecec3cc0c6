// Any order of requests, looks, deaths, takeovers, jumps of the clock and what people do leaves a rollout's row, weights and
// history in agreement, and the candidate with all traffic only where the plan or a person gave it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import type { LeaseToken } from '../../src/storage/index.ts';
import { Died } from '../support/database-faults.ts';
import { expectConsistent } from '../support/rollout-invariants.ts';
import { ANN, ENDPOINT, openRolloutWorld, type RolloutWorld, SECOND } from '../support/rollout-world.ts';
import { isFull, runs } from '../support/tier.ts';

type Event =
  | { readonly do: 'run'; readonly seconds: number; readonly error: number }
  | { readonly do: 'die'; readonly at: number }
  | { readonly do: 'stale' | 'silence' | 'hear' | 'breaker' | 'fail' | 'override' | 'beside' | 'server' | 'unserver' }
  | { readonly do: 'jump' | 'pass'; readonly seconds: number }
  | { readonly do: 'pause' | 'resume' | 'promote' | 'abort' };

const times = (weight: number, record: object) => ({ weight, arbitrary: fc.record(record) });
const seconds = (min: number, max: number) => fc.integer({ min, max });
const event = fc.oneof(
  times(18, { do: fc.constant('run'), seconds: seconds(1, 5), error: fc.constantFrom(0, 0, 0, 0.6) }),
  times(9, { do: fc.constant('die'), at: fc.integer({ min: 1, max: 25 }) }),
  times(6, { do: fc.constantFrom('stale', 'silence', 'hear', 'breaker', 'fail', 'server', 'unserver') }),
  times(3, { do: fc.constantFrom('jump', 'pass'), seconds: seconds(-100_000, 100_000) }),
  times(6, { do: fc.constantFrom('pause', 'resume', 'resume', 'promote', 'abort') }),
  times(1, { do: fc.constant('override') }),
  times(4, { do: fc.constant('beside') }),
) as unknown as fc.Arbitrary<Event>;

describe('a rollout', () => {
  it('is consistent after whatever happens in whichever order', { timeout: 120_000 }, async () => {
    const ends = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 3, maxLength: 18 }), async (events) => {
        const world = await openRolloutWorld('sqlite::memory:');
        try {
          await world.start({ steps: [50, 100], holdMicros: 2 * SECOND, bakeMicros: SECOND, minUnits: 3 });
          const life = { held: await world.takeOver(), isOverridden: false };
          for (const one of events) {
            await happen(world, one, life);
            await expectConsistent(world, life.isOverridden);
          }
          ends.add((await world.shown()).rollout.state);
        } finally {
          await world.close();
        }
      }),
      { numRuns: runs(60) },
    );
    // The events lead somewhere, by the end of many runs.
    if (isFull) expect([...ends]).toEqual(expect.arrayContaining(['promoted', 'rolled_back', 'aborted', 'paused']));
  });
});

const BY = { actor: 'bob', override: true, reason: 'on fire', waitMs: 0 };

interface Life {
  held: LeaseToken;
  isOverridden: boolean;
}

async function happen(world: RolloutWorld, event: Event, life: Life): Promise<void> {
  switch (event.do) {
    case 'run':
      for (let second = 0; second < event.seconds; second++) {
        await world.serve();
        await world.send({ units: 40, candidate: { error: event.error } });
        await world.look(life.held);
        world.later(SECOND);
        await expectConsistent(world, life.isOverridden);
      }
      return;
    case 'die': {
      const controller = await world.newController({ diesAt: event.at, steps: 0 });
      life.held = await world.takeOver();
      await world.serve();
      await world.look(life.held, controller).catch(unlessDied);
      life.held = await world.takeOver();
      return;
    }
    case 'stale': {
      const stale = life.held;
      life.held = await world.takeOver();
      const { rollout, events } = await world.shown();
      await world.look(stale);
      expect(await world.shown()).toMatchObject({ rollout, events });
      return;
    }
    case 'silence':
      return void world.late.add('a');
    case 'hear':
      return world.late.clear();
    case 'breaker':
      return world.openBreaker();
    case 'fail':
      await world.serve({ a: 'HR_MODEL_UNREADABLE: truncated' });
      return world.look(life.held);
    case 'server':
      return void world.servers.add('c');
    case 'unserver':
      return void world.servers.delete('c');
    case 'jump':
      return world.jump(event.seconds * SECOND);
    case 'pass':
      return world.later(Math.abs(event.seconds) * SECOND);
    case 'beside': {
      const { variants, shadows: had } = await world.registry.endpoints.get(ENDPOINT);
      const shadows = had.length === 0 ? [{ version: 3, percent: 5 }] : [];
      await world.registry.endpoints.setTraffic(ENDPOINT, { variants, shadows }, BY);
      await world.serve();
      return world.look(life.held);
    }
    case 'override': {
      const variants = [{ name: 'other', version: 3, weight: 100 }];
      await world.registry.endpoints.setTraffic(ENDPOINT, { variants }, BY);
      life.isOverridden = true;
      return;
    }
    default: {
      const { id } = (await world.shown()).rollout;
      await world.rollouts[event.do](id, ANN).catch(unlessRefused);
    }
  }
}

function unlessDied(thrown: unknown): void {
  if (!(thrown instanceof Died)) throw thrown;
}

/** What it can't do any more, or not yet. */
function unlessRefused(thrown: unknown): void {
  if (!(thrown instanceof HeadraceError && thrown.code === 'HR_CONFLICT')) throw thrown;
}
