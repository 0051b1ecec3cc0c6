// One turn of a worker of the fleet: what it writes, what it takes, and what it leaves to others.

import { describe, expect, it } from 'vitest';
import { type Capacity, chooseSlices } from '../../src/orchestrator/executors/fleet/choose-slices.ts';
import { turn } from '../../src/orchestrator/executors/fleet/serve-fleet.ts';
import { createToldSlices } from '../../src/orchestrator/executors/fleet/told-slices.ts';
import type { WaitingSlice, WorkerState, WrittenTurn } from '../../src/orchestrator/executors/fleet/worker-rows.ts';

const GIB = 1024 ** 3;
const WORKER: WorkerState = { id: 'w', slots: 2, memoryBytes: 4 * GIB, hasProject: false, leaseMs: 1000 };
const LARGE: Capacity = { slots: 16, memoryBytes: 64 * GIB, hasProject: false };
const slice = (id: string, resources: WaitingSlice['resources'] = {}, tasks = 1): WaitingSlice => ({
  id,
  spec: 'blob:x',
  resources,
  tasks: Array.from({ length: tasks }, (_, index) => ({ index, attempt: 1 })),
});
const roomFor = (tasks: number) => () => ({ tasks, perSlice: 1 });

/** A worker's turn over rows that the test holds. */
async function turnOf(given: {
  readonly waiting: readonly WaitingSlice[];
  readonly others?: readonly Capacity[];
  readonly isDraining?: boolean;
  readonly isLost?: boolean;
}) {
  const { waiting, others = [], isDraining = false, isLost = false } = given;
  const submitted: string[] = [];
  const written: WrittenTurn[] = [];
  const told = createToldSlices();
  const executor = {
    room: roomFor(2),
    submit: async (slices: readonly { readonly id: string }[]) => {
      submitted.push(...slices.map(({ id }) => id));
      return [];
    },
  };
  const rows = {
    others: async () => others,
    async turn(_worker: WorkerState, _ahead: unknown, one: WrittenTurn) {
      written.push(one);
      return isLost ? undefined : (one.choose?.(waiting) ?? []);
    },
  };
  const taken = await turn(executor, rows, WORKER, told, isDraining);
  return { taken, submitted, written, told };
}

describe('a worker of the fleet', () => {
  it('leaves to a larger machine what is too large for its own, and takes what is not', async () => {
    const waiting = [slice('large', { cpu: 8 }), slice('small')];
    expect(await turnOf({ waiting, others: [LARGE] })).toMatchObject({ taken: 1, submitted: ['small'] });
    expect(await turnOf({ waiting })).toMatchObject({ taken: 2, submitted: ['large', 'small'] });
  });

  it('knows what it has taken as its own, and takes nothing while it drains', async () => {
    const { told } = await turnOf({ waiting: [slice('a')] });
    expect(told.has('a')).toBe(true);
    const none = { taken: 0, submitted: [], written: [{ isDraining: true, choose: undefined }] };
    expect(await turnOf({ waiting: [slice('a')], isDraining: true })).toMatchObject(none);
  });

  it('runs nothing of a turn whose lease was lost', async () => {
    expect(await turnOf({ waiting: [slice('a')], isLost: true })).toMatchObject({ taken: 'lost', submitted: [] });
  });
});

describe('of the slices that wait', () => {
  const chosen = (waiting: readonly WaitingSlice[], tasks: number, others: readonly Capacity[] = []): string[] =>
    chooseSlices(waiting, roomFor(tasks), WORKER, others).map(({ id }) => id);

  it('the first are taken, until there is no room for one task more', () => {
    const waiting = [slice('a', {}, 2), slice('b'), slice('c')];
    expect(chosen(waiting, 0)).toEqual([]);
    expect(chosen(waiting, 1)).toEqual(['a']);
    expect(chosen(waiting, 2)).toEqual(['a']);
    expect(chosen(waiting, 3)).toEqual(['a', 'b']);
  });

  it('those that just fit this machine are its own', () => {
    const fitting = [slice('a', { cpu: 2, memory: '4Gi' }), slice('b', { cpu: 2.5 }), slice('c', { memory: '4097Mi' })];
    expect(chosen(fitting, 9, [LARGE])).toEqual(['a']);
  });

  it('those that take the project’s stores are left to a machine that has them', () => {
    const predict = [slice('a', { action: 'predict' })];
    expect(chosen(predict, 9, [{ ...LARGE, hasProject: true }])).toEqual([]);
    expect(chosen(predict, 9, [LARGE])).toEqual(['a']);
  });
});
