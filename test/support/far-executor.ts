// An executor whose tasks run until a test ends them, or as it says: what a driver does meanwhile is what is looked at.

import type { Executor, Handle, Slice, TaskEvent } from '../../src/orchestrator/executors/executor.ts';

type EndOf<E> = E extends TaskEvent ? Omit<E, 'slice' | 'index' | 'attempt'> : never;
export type TaskEnd = EndOf<TaskEvent>;
export type FarExecutor = ReturnType<typeof createFarExecutor>;

export const succeeded = (json = '1'): TaskEnd => ({ kind: 'succeeded', output: { json }, files: {} });
export const failed: TaskEnd = { kind: 'failed', cause: 'exit', reason: 'it does', isFinal: true };

/**
 * `taking`: what a submit waits for before it knows its slices. `ends`: how a task ends by itself, one of a slice after the other; of
 * itself none does.
 */
export function createFarExecutor({
  taking = async () => {},
  ends = async () => undefined,
}: {
  taking?: () => Promise<void>;
  ends?: (spec: string, index: number) => Promise<TaskEnd | undefined>;
} = {}) {
  const running = new Map<string, Slice>();
  const submitted: Slice[] = [];
  const adopts: number[] = [];
  let tell: (events: readonly TaskEvent[]) => void = () => {};
  let onRoom = (): void => {};
  const run = async ({ id, spec, tasks }: Slice): Promise<void> => {
    for (const task of tasks) {
      const end = await ends(spec, task.index);
      if (end !== undefined) setImmediate(() => tell([{ slice: id, ...task, ...end }]));
    }
  };
  const executor: Executor = {
    room() {
      onRoom();
      return { tasks: 10, perSlice: 1 };
    },
    async submit(slices) {
      await taking();
      submitted.push(...slices);
      for (const slice of slices) {
        running.set(slice.id, slice);
        void run(slice);
      }
      return slices.map(({ id }): Handle => ({ slice: id, at: 'far' }));
    },
    watch(listen) {
      tell = listen;
      return () => void (tell = () => {});
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
    submitted,
    adopts,
    set onRoom(listen: () => void) {
      onRoom = listen;
    },
    /** All that runs now. */
    endAll() {
      for (const { id, tasks } of running.values()) {
        running.delete(id);
        tell(tasks.map((task) => ({ slice: id, ...task, ...succeeded() })));
      }
    },
  };
}
