// What another driver had handed over, as the next one finds it: what still runs goes on, of the rest nothing is left.

import type { StepSpec } from '../../definitions/index.ts';
import type { EngineEvent } from '../engine/events.ts';
import type { Row, RunInHand } from '../engine/run-in-hand.ts';
import type { Handle, Slice } from '../executors/executor.ts';
import type { LoadedRun } from '../rows/run-store.ts';
import type { NamedExecutor } from './drive-run.ts';

export interface SliceInHand {
  readonly named: NamedExecutor;
  readonly step: string;
  readonly scope: string;
  handle: Handle | undefined;
  /** Attempts that have not ended, as `index:attempt`: an executor may tell of those again that ended under another driver. */
  readonly left: Set<string>;
}

interface Adopting {
  readonly run: RunInHand;
  readonly kept: LoadedRun['slices'];
  /** Gets those that run. */
  readonly slices: Map<string, SliceInHand>;
  readonly specOf: (step: string) => StepSpec | undefined;
  readonly executorOf: (spec: StepSpec) => NamedExecutor;
  readonly executorNamed: (name: string) => NamedExecutor | undefined;
  readonly post: (event: EngineEvent) => void;
  /** Waits, and keeps the run meanwhile: each slice may take a call over a network. Throws once the run is another's. */
  readonly held: <T>(work: Promise<T>) => Promise<T>;
}

/** Of another driver's slice: the tasks that are running by the rows. */
interface Adopted {
  readonly row: Row;
  readonly tasks: { readonly index: number; readonly attempt: number }[];
}

/**
 * Gives what it has begun to end, to be waited for beside the run: jobs of steps that run elsewhere by now. Those may wait for
 * machines for ever, which is why steps are sent elsewhere; containers take a while to end, longer than a lease.
 */
export async function adoptSlices(adopting: Adopting): Promise<readonly Promise<void>[]> {
  const { run, kept, slices, specOf, executorOf, executorNamed, post, held } = adopting;
  /** Of a slice of which nothing runs: what has not been told of is to run again. */
  const lose = (slice: string, { row, tasks }: Adopted): void => {
    const left = slices.get(slice)?.left;
    slices.delete(slice);
    for (const { index, attempt } of tasks)
      if (left?.has(`${index}:${attempt}`) === true)
        post({ kind: 'stopped', step: row.node.name, scope: row.scope, index, attempt });
  };
  const keptAt = new Map(kept.map(({ id, executor }) => [id, executor]));
  const moved = new Map<NamedExecutor, { readonly handle: Handle; readonly one: Adopted }[]>();
  for (const [slice, one] of runningSlices(run)) {
    const { row, tasks } = one;
    const spec = specOf(row.node.name);
    if (spec === undefined) continue;
    const at = keptAt.get(slice) ?? '';
    const [named, now] = [executorNamed(at) ?? executorOf(spec), executorOf(spec)];
    const handle = { slice, at: driverOf(at) };
    slices.set(slice, { named, step: row.node.name, scope: row.scope, handle, left: namesOf(tasks) });
    const [found] = await held(named.executor.adopt([handle]));
    if (found === 'gone') lose(slice, one);
    else if (named.isCluster === true && named !== now)
      moved.set(named, [...(moved.get(named) ?? []), { handle, one }]);
  }
  return [...moved].map(async ([{ executor }, those]) => {
    await executor.cancel(those.map(({ handle }) => handle));
    for (const { handle, one } of those) lose(handle.slice, one);
  });
}

function runningSlices(run: RunInHand): ReadonlyMap<string, Adopted> {
  const running = new Map<string, Adopted>();
  for (const scopes of run.rows.values()) {
    for (const row of scopes.values()) {
      for (const task of row.tasks.values()) {
        if (!task.isRunning) continue;
        const one = running.get(task.slice) ?? { row, tasks: [] };
        one.tasks.push(task);
        running.set(task.slice, one);
      }
    }
  }
  return running;
}

export function namesOf(tasks: Slice['tasks']): Set<string> {
  return new Set(tasks.map(({ index, attempt }) => `${index}:${attempt}`));
}

export function driverOf(executor: string): string {
  return executor.slice(executor.indexOf(':') + 1);
}
