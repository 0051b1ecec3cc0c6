// What a transition of a rollout leaves behind: the row, the event and the audit log say the same.

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AuditEntry, EndpointState } from '../../src/registry/index.ts';
import { createMoves, type MovesDeps } from '../../src/rollouts/controller/moves.ts';
import { compilePlan } from '../../src/rollouts/controller/plan.ts';
import type { Rollout } from '../../src/rollouts/controller/rollout.ts';
import { findRollout, insertRollout, readEvents, tablesIn } from '../../src/rollouts/controller/rollout-rows.ts';
import { migrateRollouts } from '../../src/rollouts/controller/tables.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';

const ROLLOUT: Rollout = {
  id: 'r',
  endpoint: 'delay',
  candidate: 2,
  stable: 1,
  stableName: 'stable',
  candidateName: 'candidate',
  plan: compilePlan({ steps: [10, 50, 100] }, undefined),
  state: 'preparing',
  step: 2,
  stateVersion: 1,
  leaseEpoch: 0,
  revision: 7,
  phases: [
    { revision: 5, weight: 10, fromMicros: 1, warm: null },
    { revision: 7, weight: 50, fromMicros: null, warm: null },
  ],
  heldMicros: 0,
  stepMicros: 0,
  blindMicros: 0,
  lookedMicros: null,
  reason: null,
  guardrails: [],
  pausedFrom: null,
  pausedBy: null,
  slowLimitMicros: null,
  slowSetMicros: null,
  createdMicros: 1,
  createdBy: 'ann',
  endedMicros: null,
};
const BY = { actor: 'ann', reason: 'to look at it' };

let database: Database;
let audited: AuditEntry[];
beforeEach(async () => {
  database = await migrateRollouts(await openDatabase('sqlite::memory:'));
  audited = [];
});
afterEach(() => database.close());

/** A rollout as it stands, and what moves it; `revision`: of the traffic that servers are loading. */
async function standing(change: Partial<Rollout> = {}, revision = 7) {
  const rollout = { ...ROLLOUT, ...change };
  await insertRollout(tablesIn(database.tables()), rollout, { atMicros: 1, actor: 'ann', reason: null });
  // As much of the registry as is asked.
  const registry = {
    auditLog: { recordIn: async (_: unknown, entry: AuditEntry) => void audited.push(entry) },
    endpoints: { get: async () => ({ change: { revision } }) as unknown as EndpointState },
  } as unknown as MovesDeps['registry'];
  return { rollout, moves: createMoves({ database, registry, clock: { nowMicros: () => 9 } }) };
}

const kept = () => findRollout(tablesIn(database.tables()), 'r');

it('a step that is taken back is the step before it in the row and in the audit log', async () => {
  const { rollout, moves } = await standing({}, 8);
  await moves.pause(rollout, { pausedBy: 'person' }, BY);
  expect(await kept()).toMatchObject({ state: 'paused', step: 1, pausedFrom: 'watching', phases: [{ revision: 5 }] });
  expect(audited).toMatchObject([
    {
      action: 'rollout.paused',
      object: 'rollout/r',
      actor: 'ann',
      reason: 'to look at it',
      before: { state: 'preparing', step: 2 },
      after: { state: 'paused', step: 1 },
    },
  ]);
  expect((await readEvents(tablesIn(database.tables()), 'r')).at(-1)).toMatchObject({
    from: 'preparing',
    to: 'paused',
    actor: 'ann',
  });
});

it('a first step that is taken back is none, and goes on from the beginning', async () => {
  const { rollout, moves } = await standing({ step: 1, phases: [] }, 8);
  await moves.pause(rollout, { pausedBy: 'person' }, BY);
  expect(await kept()).toMatchObject({ step: 0, pausedFrom: 'pending' });
  expect(audited).toMatchObject([{ before: { step: 1 }, after: { step: 0 } }]);
});

it('a move that names no step stays in its step', async () => {
  const { rollout, moves } = await standing({ state: 'settling' });
  await moves.move(rollout, { state: 'baking' }, { actor: 'ann', reason: null });
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
  await expect(moves.move(rollout, { state: 'pending' }, BY)).rejects.toMatchObject({ code: 'HR_INTERNAL' });
  await expect(moves.move({ ...rollout, stateVersion: 4 }, { state: 'baking' }, BY)).rejects.toMatchObject({
    code: 'HR_CONFLICT',
  });
  expect(await kept()).toMatchObject({ state: 'settling', stateVersion: 1 });
  expect(audited).toEqual([]);
});
