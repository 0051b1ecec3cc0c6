// What a transition of a rollout leaves behind: the row, the event and the audit log say the same.

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AuditEntry, EndpointState, Traffic } from '../../src/registry/index.ts';
import { createMoves, type MovesDeps } from '../../src/rollouts/controller/moves.ts';
import { compilePlan } from '../../src/rollouts/controller/plan.ts';
import type { Rollout } from '../../src/rollouts/controller/rollout.ts';
import { findRollout, insertRollout, readEvents, tablesIn } from '../../src/rollouts/controller/rollout-rows.ts';
import { migrateRollouts } from '../../src/rollouts/controller/tables.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { refused } from '../support/refused.ts';

const phase = (revision: number, weight: number, fromMicros: number | null) => ({
  revision,
  weight,
  fromMicros,
  warm: null,
});
const ARMS = { candidate: 2, stable: 1, stableName: 'stable', candidateName: 'candidate' };
const passed = (micros: number) => ({ heldMicros: micros, stepMicros: micros, blindMicros: micros });
const NEVER = { lookedMicros: null, slowLimitMicros: null, slowSetMicros: null, endedMicros: null };
const ROLLOUT: Rollout = {
  id: 'r',
  endpoint: 'delay',
  ...ARMS,
  plan: compilePlan({ steps: [10, 50, 100] }, undefined),
  state: 'preparing',
  step: 2,
  stateVersion: 1,
  leaseEpoch: 0,
  revision: 7,
  phases: [phase(5, 10, 1), phase(7, 50, null)],
  ...passed(0),
  ...NEVER,
  reason: null,
  guardrails: [],
  pausedFrom: null,
  pausedBy: null,
  createdMicros: 1,
  createdBy: 'ann',
};
interface SetTraffic {
  readonly rollout: unknown;
  readonly isAtOnce: boolean;
  readonly also: (trx: never, traffic: never, before: never) => Promise<void>;
}

const ANN = { actor: 'ann', reason: null };
const BY = { actor: 'ann', reason: 'to look at it' };

let database: Database;
let audited: AuditEntry[];
beforeEach(async () => {
  database = await migrateRollouts(await openDatabase('sqlite::memory:'));
  audited = [];
});
afterEach(() => database.close());

/** A rollout as it stands, and what moves it; `revision`: of the traffic that servers are loading. */
async function standing(change: Partial<Rollout> = {}, revision = 7, left: object = {}) {
  const rollout = { ...ROLLOUT, ...change };
  await insertRollout(tablesIn(database.tables()), rollout, { atMicros: 1, ...ANN });
  const asked: object[] = [];
  // As much of the registry as is asked.
  const registry = {
    auditLog: { recordIn: async (_: unknown, entry: AuditEntry) => void audited.push(entry) },
    endpoints: {
      get: async () => ({ change: { revision } }) as unknown as EndpointState,
      // In the transaction in which the traffic changes, as the registry does it; nobody else has changed it.
      async setTraffic(_: string, { variants }: Traffic, { rollout: owner, isAtOnce, also }: SetTraffic) {
        asked.push({ variants, rollout: owner, isAtOnce });
        const before = { name: 'delay', rollout: 'r', revision, change: null, ...left };
        await database.transaction<unknown, void>((trx) =>
          also(trx as never, { revision: 9 } as never, before as never),
        );
      },
    },
  } as unknown as MovesDeps['registry'];
  return { asked, rollout, moves: createMoves({ database, registry, clock: { nowMicros: () => 9 } }) };
}

const kept = () => findRollout(tablesIn(database.tables()), 'r');
const whole = (version: number) => [{ name: 'stable', version, weight: 100 }];

it('a step that is taken back is the step before it in the row and in the audit log', async () => {
  const { rollout, moves } = await standing({}, 8);
  await moves.pause(rollout, { pausedBy: 'person' }, BY);
  expect(await kept()).toMatchObject({ state: 'paused', step: 1, pausedFrom: 'watching', phases: [{ revision: 5 }] });
  const [before, after] = [
    { state: 'preparing', step: 2 },
    { state: 'paused', step: 1 },
  ];
  expect(audited).toMatchObject([{ ...BY, action: 'rollout.paused', object: 'rollout/r', before, after }]);
  const event = (await readEvents(tablesIn(database.tables()), 'r')).at(-1);
  expect(event).toMatchObject({ from: 'preparing', to: 'paused', actor: 'ann' });
});

it('a first step that is taken back is none, and goes on from the beginning', async () => {
  const { rollout, moves } = await standing({ step: 1, phases: [] }, 8);
  await moves.pause(rollout, { pausedBy: 'person' }, BY);
  expect(await kept()).toMatchObject({ step: 0, pausedFrom: 'pending' });
  expect(audited).toMatchObject([{ before: { step: 1 }, after: { step: 0 } }]);
});

it('a step that is asked for begins anew, with the split that it says', async () => {
  const { rollout, moves, asked } = await standing({ state: 'watching', step: 1, ...passed(5) });
  await moves.ask(rollout, { step: 2, weight: 12.5 }, {}, ANN);
  expect(asked).toMatchObject([{ variants: [{ weight: 87.5 }, { weight: 12.5 }], rollout: { id: 'r' } }]);
  expect(await kept()).toMatchObject({ state: 'preparing', step: 2, revision: 9, ...passed(0) });
  expect((await kept())?.phases.at(-1)).toEqual(phase(9, 12.5, null));
});

it('all traffic goes to the candidate, and the rollout lets go of it', async () => {
  const plan = { ...ROLLOUT.plan, watchMicros: 1 };
  const up = await standing({ state: 'watching', stepMicros: 5, plan });
  await up.moves.promote(up.rollout, {}, BY);
  expect(up.asked).toEqual([{ variants: whole(2), rollout: null, isAtOnce: true }]);
  // By its plan it is watched on.
  expect(await kept()).toMatchObject({ state: 'promoted', stepMicros: 0, endedMicros: null });
});

it('a rollout that is aborted has ended, one that rolls back has not yet', async () => {
  const { rollout, moves, asked } = await standing({ state: 'watching' });
  await moves.rollBack(rollout, {}, BY, 'aborted');
  expect(asked).toEqual([{ variants: whole(1), rollout: null, isAtOnce: true }]);
  expect(await kept()).toMatchObject({ state: 'aborted', endedMicros: 9 });
});

it('stable has been let go of once the candidate is promoted: all servers load it before it answers', async () => {
  const { rollout, moves, asked } = await standing({ state: 'promoted' }, 7, { rollout: null });
  await moves.rollBack(rollout, {}, BY);
  expect(asked).toMatchObject([{ isAtOnce: false }]);
  expect(await kept()).toMatchObject({ state: 'rolling_back', endedMicros: null });
});

it.each([
  ['took the traffic', { rollout: null }, {}],
  ['changed the traffic beside it, which its controller has not taken up', { revision: 8 }, { held: null }],
])('nothing changes where somebody %s', async (_, left, { held }: { held?: null }) => {
  const { rollout, moves } = await standing({ state: 'watching' }, 7, left);
  // The lease is asked for after the traffic is.
  const by = held === undefined ? BY : { ...BY, held: { name: 'x', epoch: 1 } as never };
  await refused(moves.ask(rollout, { step: 3, weight: 100 }, {}, by), 'HR_CONFLICT');
  expect(await kept()).toMatchObject({ step: 2, stateVersion: 1 });
});

it('a move that names no step stays in its step', async () => {
  const { rollout, moves } = await standing({ state: 'settling' });
  await moves.move(rollout, { state: 'baking' }, ANN);
  expect(await kept()).toMatchObject({ state: 'baking', step: 2 });
  expect(audited).toMatchObject([{ before: { step: 2 }, after: { state: 'baking', step: 2 } }]);
  expect(audited[0]).not.toHaveProperty('reason');
});

it('a pause of what is paused goes on from where it was paused first', async () => {
  const { rollout, moves } = await standing({ state: 'paused', pausedFrom: 'baking' });
  await moves.pause(rollout, { pausedBy: 'person' }, BY);
  expect(await kept()).toMatchObject({ state: 'paused', pausedFrom: 'baking' });
});

it('a transition that no rollout makes, or that was decided by another version of the row, changes nothing', async () => {
  const { rollout, moves } = await standing({ state: 'settling' });
  await refused(moves.move(rollout, { state: 'pending' }, BY), 'HR_INTERNAL');
  await refused(moves.move({ ...rollout, stateVersion: 4 }, { state: 'baking' }, BY), 'HR_CONFLICT');
  expect(await kept()).toMatchObject({ state: 'settling', stateVersion: 1 });
  expect(audited).toEqual([]);
});
