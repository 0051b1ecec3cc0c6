// Tasks of an order that another system drives: each is run once, and its end is told with all the others.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { stringifyJson } from '../../src/core/index.ts';
import { runTasks, type RunTasks } from '../../src/orchestrator/committed/run-tasks.ts';
import { type ObjectStore, putBlob } from '../../src/storage/index.ts';
import { createFarExecutor, succeeded, type TaskEnd } from '../support/far-executor.ts';

type Ending = 'succeeded' | 'failed' | 'lost' | 'never';

/** Objects in memory: as much of a store as is asked. */
function inMemory(): ObjectStore {
  const objects = new Map<string, Uint8Array>();
  return {
    get: async (key: string) => objects.get(key),
    async *list(key: string) {
      if (objects.has(key)) yield { key, modifiedMicros: Date.now() * 1000 };
    },
    async put(key: string, body: Uint8Array, options?: { ifAbsent?: boolean }) {
      if (options?.ifAbsent === true && objects.has(key)) return false;
      objects.set(key, body);
      return true;
    },
  } as unknown as ObjectStore;
}

/** Ends tasks one after the other, once what the one before left is stored. */
const executorOf = (endings: readonly Ending[]) =>
  createFarExecutor({
    async ends(_, index): Promise<TaskEnd | undefined> {
      for (let turns = 0; turns < 5; turns++) await nextTurn();
      const kind = endings[index];
      if (kind === 'succeeded') return succeeded(String(index));
      if (kind === 'failed') return { kind, cause: 'exit', reason: 'it exited with 1', isFinal: true };
      return kind === 'lost' ? { kind, reason: 'its machine died' } : undefined;
    },
  });

async function run(endings: readonly Ending[], more: Partial<RunTasks> = {}, objects = inMemory()) {
  const foreach = { kind: 'range', start: 0, end: endings.length };
  const order = { run: 'r', step: 's', scope: '', foreach, needs: {} };
  const spec = `blob:${await putBlob(objects, Buffer.from(stringifyJson(order)))}`;
  const { executor, submitted } = executorOf(endings);
  const ran = runTasks({ objects, executor }, { spec, attempt: 1, ...more });
  return { objects, submitted, ends: async () => (await ran).ends };
}

describe('tasks of an order', () => {
  it('are all waited for, and each is told with how it ended', async () => {
    const { ends } = await run(['succeeded', 'failed', 'lost', 'succeeded']);
    expect(await ends()).toMatchObject([
      { index: 0, kind: 'succeeded', wasThere: false },
      { index: 1, kind: 'failed', reason: 'it exited with 1' },
      { index: 2, kind: 'lost', reason: 'its machine died' },
      { index: 3, kind: 'succeeded' },
    ]);
  });

  it('that have a result are not run again', async () => {
    const first = await run(['succeeded', 'failed']);
    await first.ends();
    const { ends, submitted } = await run(['failed', 'succeeded'], { attempt: (index) => index + 2 }, first.objects);
    expect(await ends()).toMatchObject([{ kind: 'succeeded', wasThere: true, attempt: 1 }, { kind: 'succeeded' }]);
    expect(submitted.map(({ tasks }) => tasks)).toEqual([[{ index: 1, attempt: 3 }]]);
  });

  it('of those that are named alone are run, each once; others than the order has are refused', async () => {
    const { ends, submitted } = await run(['succeeded', 'succeeded', 'succeeded'], { indexes: [2, 0, 2] });
    expect((await ends()).map(({ index }) => index)).toEqual([2, 0]);
    expect(submitted[0]?.tasks.map(({ index }) => index)).toEqual([0, 2]);
    const { ends: none } = await run(['succeeded'], { indexes: [1] });
    const message = expect.stringContaining('has 1 task, 0');
    await expect(none()).rejects.toMatchObject({ code: 'HR_INVALID', message });
  });

  it('that were stopped before they ended are lost; those that ended first are not', async () => {
    const controller = new AbortController();
    const { ends, submitted } = await run(['succeeded', 'never'], { signal: controller.signal });
    while (submitted.length === 0) await nextTurn();
    for (let turns = 0; turns < 20; turns++) await nextTurn();
    controller.abort();
    expect(await ends()).toMatchObject([
      { index: 0, kind: 'succeeded' },
      { index: 1, kind: 'lost', reason: 'it was stopped before it ended' },
    ]);
  });
});
