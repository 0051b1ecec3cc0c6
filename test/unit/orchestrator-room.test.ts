// How many more tasks a machine takes, and which of those that are tried again is due.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDueTasks } from '../../src/orchestrator/engine/due-tasks.ts';
import { roomFor } from '../../src/orchestrator/executors/local/room.ts';
import { runs } from '../support/tier.ts';

const GIB = 1024 ** 3;
const MACHINE = { cpus: 4, memoryBytes: 8 * GIB };
const UNKNOWN = { warmMs: null, processMs: null };

describe('a machine has room', () => {
  it('for as many as fit by CPUs and by memory, one ahead of what runs at first', () => {
    expect(roomFor({}, [], MACHINE, UNKNOWN)).toEqual({ tasks: 4, perSlice: 1 });
    expect(roomFor({ cpu: 2 }, [], MACHINE, UNKNOWN).tasks).toBe(2);
    expect(roomFor({ memory: '3Gi' }, [], MACHINE, UNKNOWN).tasks).toBe(2);
    expect(roomFor({ cpu: 0 }, [], MACHINE, UNKNOWN).tasks).toBe(512);
  });

  it('beside others, for what those leave; and for none where they leave nothing', () => {
    const others = (tasks: number) => [{ resources: { cpu: 2 }, tasks }];
    expect(roomFor({}, others(1), MACHINE, UNKNOWN).tasks).toBe(2);
    expect(roomFor({}, [{ resources: { cpu: 3 }, tasks: 9 }], MACHINE, UNKNOWN).tasks).toBe(1);
    expect(roomFor({}, others(9), MACHINE, UNKNOWN).tasks).toBe(0);
    expect(roomFor({ memory: '6Gi' }, [{ resources: { memory: '3Gi' }, tasks: 1 }], MACHINE, UNKNOWN).tasks).toBe(0);
  });

  it('for one of what is too large for it, where nothing else runs', () => {
    expect(roomFor({ cpu: 9 }, [], MACHINE, UNKNOWN).tasks).toBe(1);
    expect(roomFor({ cpu: 9 }, [{ resources: { cpu: 9 }, tasks: 1 }], MACHINE, UNKNOWN).tasks).toBe(0);
    expect(roomFor({ cpu: 9 }, [{ resources: {}, tasks: 1 }], MACHINE, UNKNOWN).tasks).toBe(0);
  });

  it('for so many short ones that none waits for the next claim, of warm processes and of others by their own pace', () => {
    const pace = { warmMs: 10, processMs: 50 };
    expect(roomFor({ action: 'task' }, [], MACHINE, pace)).toEqual({ tasks: 40, perSlice: 10 });
    expect(roomFor({ action: 'task', isolate: true }, [], MACHINE, pace)).toEqual({ tasks: 8, perSlice: 2 });
    expect(roomFor({ action: 'task' }, [{ resources: { action: 'task' }, tasks: 39 }], MACHINE, pace).tasks).toBe(1);
    for (const warmMs of [0, 0.02])
      expect(roomFor({ action: 'task' }, [], MACHINE, { ...pace, warmMs })).toEqual({ tasks: 4 * 4096, perSlice: 512 });
    expect(roomFor({ action: 'task' }, [], MACHINE, { ...pace, warmMs: 60_000 })).toEqual({ tasks: 4, perSlice: 1 });
    expect(roomFor({}, [], MACHINE, { ...UNKNOWN, processMs: 4 })).toEqual({ tasks: 100, perSlice: 25 });
    expect(roomFor({}, [], MACHINE, { ...pace, processMs: 101 }).perSlice).toBe(1);
  });
});

describe('tasks that are tried again', () => {
  it('are due by their time, and of one time by their number', () => {
    const task = fc.record({ index: fc.nat(50), at: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(task, { maxLength: 30 }), fc.nat(6), fc.nat(40), (tasks, now, most) => {
        const due = createDueTasks();
        for (const { index, at } of tasks) due.add(index, at);
        const sorted = tasks.toSorted((a, b) => a.at - b.at || a.index - b.index);
        const wanted = sorted.filter(({ at }) => at <= now).map(({ index }) => index);
        expect(due.first()).toBe(sorted[0]?.at ?? Infinity);
        expect(due.countDue(now, most)).toBe(Math.min(most, wanted.length));
        expect(Array.from({ length: wanted.length + 1 }, () => due.take(now))).toEqual([...wanted, undefined]);
        expect(due.size).toBe(tasks.length - wanted.length);
      }),
      { numRuns: runs(500) },
    );
  });
});
