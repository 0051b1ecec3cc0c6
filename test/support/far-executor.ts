// An executor whose tasks run until a test ends them: what a driver does meanwhile is what is looked at.

import type { Executor, Handle, Slice, TaskEvent } from '../../src/orchestrator/executors/executor.ts';

type EndOf<E> = E extends TaskEvent ? Omit<E, 'slice' | 'index' | 'attempt'> : never;
export type TaskEnd = EndOf<TaskEvent>;

export type FarExecutor = ReturnType<typeof createFarExecutor>;

export const succeeded: TaskEnd = { kind: 'succeeded', output: { json: '1' }, files: {} };
export const failed: TaskEnd = { kind: 'failed', cause: 'exit', reason: 'it does', isFinal: true };

/** `taking`: what a submit waits for before it knows its slices. */
export function createFarExecutor(taking: () => Promise<void> = () => Promise.resolve()) {
  const running = new Map<string, Slice>();
  const adopts: number[] = [];
  let tell: (events: readonly TaskEvent[]) => void = () => {};
  let onRoom = (): void => {};
  const executor: Executor = {
    room() {
      onRoom();
      return { tasks: 10, perSlice: 1 };
    },
    async submit(slices) {
      await taking();
      for (const slice of slices) running.set(slice.id, slice);
      return slices.map(({ id }): Handle => ({ slice: id, at: 'far' }));
    },
    watch(listen) {
      tell = listen;
      return () => {};
    },
    async cancel(handles) {
      for (const { slice } of handles) running.delete(slice);
    },
    async adopt(handles) {
      adopts.push(handles.length);
      return handles.map(({ slice }) => (running.has(slice) ? 'running' : 'gone'));
    },
    close: async () => {},
  };
  return {
    executor,
    running,
    adopts,
    set onRoom(listen: () => void) {
      onRoom = listen;
    },
    /** All that runs now, each by its order and place. */
    endAll(endOf: (spec: string, index: number) => TaskEnd = () => succeeded) {
      for (const { id, spec, tasks } of running.values()) {
        running.delete(id);
        tell(tasks.map((task) => ({ slice: id, ...task, ...endOf(spec, task.index) })));
      }
    },
  };
}
