// An executor that runs functions in this process: for tests of what runs do, whatever their tasks run in.

import { parseJson, stringifyJson } from '../../src/core/index.ts';
import { type BuiltInTasks, isBuiltIn, runBuiltIn } from '../../src/orchestrator/executors/local/built-in-tasks.ts';
import type { Executor, Slice, TaskEvent } from '../../src/orchestrator/executors/executor.ts';
import { hidesIndex, itemOf, placeOf, readOrder, type StepOrder } from '../../src/orchestrator/step/order.ts';
import { failure, type TaskOutcome } from '../../src/orchestrator/step/outcome.ts';
import { storeOutput } from '../../src/orchestrator/step/result.ts';
import { evaluateTask } from '../../src/orchestrator/step/typescript/evaluate-task.ts';
import { getBlob, type ObjectStore } from '../../src/storage/index.ts';

export interface InlineOptions {
  readonly objects: ObjectStore;
  /** How many tasks it takes at once. Default: 4. */
  readonly tasks?: number;
  readonly builtIns?: BuiltInTasks;
  readonly workDirectory?: string;
  readonly repository?: string;
}

export function createInlineExecutor(options: InlineOptions): Executor {
  const { objects, tasks: most = 4, builtIns = {}, workDirectory = '/nowhere', repository = workDirectory } = options;
  const open = new Map<string, AbortController>();
  const known = new Set<string>();
  let tell: (events: readonly TaskEvent[]) => void = () => {};

  type At = { readonly index: number; readonly attempt: number };
  const runTask = async (order: StepOrder, at: At, signal: AbortSignal): Promise<TaskOutcome> => {
    const { action, params, items, needs } = order;
    if (action.kind !== 'task') throw new Error(`an inline executor runs no ${action.kind}`);
    try {
      const { id, bundle = '' } = action.function;
      const task = await evaluateTask(id, Buffer.from(await getBlob(objects, bundle)).toString());
      // Values of its own, as a process has them.
      const given = parseJson(stringifyJson({ params, items, needs })) as Record<string, unknown>;
      const { index: _, ...attempt } = at;
      const place = hidesIndex(order) ? {} : { index: placeOf(order, at.index) };
      const context = { ...given, ...attempt, ...place, item: itemOf(order, at.index) ?? null, signal };
      const stopped = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error())));
      const result = await Promise.race([task(given['needs'], context), stopped]);
      return { kind: 'succeeded', output: await storeOutput(objects, stringifyJson(result ?? null)), files: {} };
    } catch (error) {
      // An error's text is its name and its message.
      return signal.aborted ? { kind: 'stopped' } : failure(String(error));
    }
  };

  const runSlice = async ({ id, spec, tasks }: Slice, stopper: AbortController): Promise<void> => {
    const order = await readOrder(objects, spec);
    const host = { objects, workDirectory, repository };
    for (const task of tasks) {
      const at = { slice: id, ...task };
      if (!stopper.signal.aborted) tell([{ ...at, kind: 'started' }]);
      const outcome = isBuiltIn(order.action)
        ? await runBuiltIn(host, builtIns, order, at, stopper.signal)
        : await runTask(order, task, stopper.signal);
      if (outcome.kind !== 'stopped' && !stopper.signal.aborted) tell([{ ...at, ...outcome }]);
    }
    open.delete(id);
  };

  const stop = (ids: Iterable<string>): void => {
    for (const id of ids) {
      open.get(id)?.abort();
      open.delete(id);
    }
  };

  return {
    room: () => ({ tasks: Math.max(0, most - open.size), perSlice: 1 }),
    async submit(slices) {
      for (const slice of slices) {
        if (known.has(slice.id)) continue;
        known.add(slice.id);
        const stopper = new AbortController();
        open.set(slice.id, stopper);
        // The folder of a slice that is stopped may go while it is read.
        void runSlice(slice, stopper).catch((error: unknown) => {
          if (!stopper.signal.aborted) throw error;
        });
      }
      return slices.map(({ id }) => ({ slice: id, at: 'here' }));
    },
    watch(listen) {
      tell = listen;
      return () => {};
    },
    cancel: async (handles) => stop(handles.map(({ slice }) => slice)),
    adopt: async (handles) => handles.map(() => 'gone'),
    close: async () => stop([...open.keys()]),
  };
}
