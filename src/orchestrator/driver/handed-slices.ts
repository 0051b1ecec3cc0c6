// Slices of a run in the hands of executors: given to them beside the driver's loop, so that one that does not answer holds nothing
// else up; told of as they end, and ended where the run stops.

import { setTimeout as delay } from 'node:timers/promises';
import type { StepSpec } from '../../definitions/index.ts';
import type { Attempt, Command, EngineEvent } from '../engine/events.ts';
import type { Row, RunInHand } from '../engine/run-in-hand.ts';
import type { Executor, Handle, Slice, TaskEvent } from '../executors/executor.ts';
import type { StoredSlice } from '../rows/run-store.ts';

export interface NamedExecutor {
  /**
   * What kind it is, and of which driver where it lives and dies with one: 'local:host/98/3fa9'; of a cluster all that finds it again.
   * Slices are kept by it.
   */
  readonly name: string;
  readonly executor: Executor;
  /** Its jobs may wait for machines for ever: those of a step that runs elsewhere by now are ended. */
  readonly isCluster?: boolean;
}

export interface KnownExecutors {
  /** The executor of a step, by its spec; the same one for the same spec. */
  readonly executorOf: (spec: StepSpec) => NamedExecutor;
  /**
   * The executor that has a slice, by the name that is kept with it: the setting or the definitions may send its step elsewhere by
   * now. Undefined where that one is not open here.
   */
  readonly executorNamed: (name: string) => NamedExecutor | undefined;
}

type Submit = Extract<Command, { kind: 'submit' }>;

export interface HandedSlices {
  /** The executor of a step, of which all is heard from now on. */
  executorOf(spec: StepSpec): NamedExecutor;
  /**
   * Takes what another driver had handed over: what still runs goes on, of the rest nothing is left. Jobs of steps that run elsewhere
   * by now are ended beside it: they may wait for machines for ever, which is why steps are sent elsewhere, and containers take a
   * while to end.
   */
  adopt(kept: readonly StoredSlice[]): Promise<void>;
  /**
   * Hands slices over whose rows are written. Resolves when all is handed over, or after a moment; `onTaken` hears how many tasks an
   * executor knows of once it does.
   */
  submit(commands: readonly Submit[], onTaken: (executor: Executor, tasks: number) => void): Promise<void>;
  /** Posts nothing about these attempts any more, and ends the slices that have no others. */
  drop(attempts: readonly Attempt[]): Promise<void>;
  /** Ends all that runs, on each executor beside the others; what did not end first is told as stopped. Nothing is handed over any more. */
  stopAll(): Promise<void>;
  /** Hears of nothing any more. */
  close(): void;
}

interface SliceInHand {
  readonly named: NamedExecutor;
  readonly step: string;
  readonly scope: string;
  handle: Handle;
  /** Attempts that have not ended, as `index:attempt`: an executor may tell of those again that ended under another driver. */
  readonly left: Set<string>;
}

/** So long an executor is waited for: most take slices at once, and the next claim goes by the room that is left then. */
const PATIENCE_MS = 100;

/** `crash` hears what an executor throws. */
export function createHandedSlices(
  { executorOf, executorNamed }: KnownExecutors,
  run: RunInHand,
  {
    post,
    crash,
  }: { readonly post: (...events: readonly EngineEvent[]) => void; readonly crash: (error: unknown) => void },
): HandedSlices {
  const slices = new Map<string, SliceInHand>();
  /** Those that are listened to, with what is on its way to each: what it does not know yet it can not end. */
  const executors = new Map<Executor, { readonly unwatch: () => void; readonly onTheWay: Set<Promise<unknown>> }>();
  let isStopping = false;

  const watched = (named: NamedExecutor): NamedExecutor => {
    if (!executors.has(named.executor))
      executors.set(named.executor, { unwatch: named.executor.watch(hear), onTheWay: new Set() });
    return named;
  };

  const specOf = (step: string): StepSpec | undefined => {
    const node = run.graph.nodes.get(step);
    return node?.kind === 'step' ? node.spec : undefined;
  };

  const hear = (heard: readonly TaskEvent[]): void => {
    const told: EngineEvent[] = [];
    for (const event of heard) {
      if (event.kind === 'started') continue;
      const slice = slices.get(event.slice);
      if (slice === undefined || !slice.left.delete(`${event.index}:${event.attempt}`)) continue;
      if (slice.left.size === 0) slices.delete(event.slice);
      const { index, attempt } = event;
      const of: Attempt = { step: slice.step, scope: slice.scope, index, attempt };
      if (event.kind === 'succeeded') told.push({ kind: 'succeeded', ...of, output: event.output });
      else if (event.kind === 'lost') told.push({ kind: 'lost', ...of, reason: event.reason });
      else told.push({ kind: 'failed', ...of, reason: event.reason, isFinal: event.isFinal });
    }
    post(...told);
  };

  const begin = (named: NamedExecutor, step: string, scope: string, handle: Handle, tasks: Slice['tasks']): void => {
    const left = new Set(tasks.map(({ index, attempt }) => `${index}:${attempt}`));
    slices.set(handle.slice, { named, step, scope, handle, left });
  };

  const stopped = ({ step, scope }: { readonly step: string; readonly scope: string }, tasks: Slice['tasks']): void =>
    post(...tasks.map(({ index, attempt }): EngineEvent => ({ kind: 'stopped', step, scope, index, attempt })));

  /** Nothing of it runs any more, and of what is left nothing else is told. */
  const giveUp = (id: string, slice: SliceInHand): void => {
    slices.delete(id);
    const tasks = [...slice.left].map((name) => {
      const [index = 0, attempt = 0] = name.split(':').map(Number);
      return { index, attempt };
    });
    stopped(slice, tasks);
  };

  /** Ends slices of one executor; what of them did not end first is told as stopped. */
  const end = async (executor: Executor, own: readonly (readonly [string, SliceInHand])[]): Promise<void> => {
    await executor.cancel(own.map(([, { handle }]) => handle));
    for (const [id, slice] of own) if (slices.has(id)) giveUp(id, slice);
  };

  /** Of a cluster that its step does not run on any more. */
  const isLeftBehind = ({ named, step }: SliceInHand): boolean => {
    const spec = specOf(step);
    return named.isCluster === true && spec !== undefined && executorOf(spec) !== named;
  };

  const handOver = async (named: NamedExecutor, list: readonly Slice[]): Promise<void> => {
    for (const handle of await named.executor.submit(list)) {
      const slice = slices.get(handle.slice);
      if (slice !== undefined) slice.handle = handle;
    }
  };

  return {
    executorOf: (spec) => watched(executorOf(spec)),
    async adopt(kept) {
      const keptAt = new Map(kept.map(({ id, executor }) => [id, executor]));
      const byExecutor = new Map<Executor, string[]>();
      for (const [id, { row, tasks }] of runningSlices(run)) {
        const spec = specOf(row.node.name);
        if (spec === undefined) continue;
        const at = keptAt.get(id) ?? '';
        const named = watched(executorNamed(at) ?? executorOf(spec));
        begin(named, row.node.name, row.scope, { slice: id, at: driverOf(at) }, tasks);
        listed(byExecutor, named.executor).push(id);
      }
      const askOf = async (executor: Executor, ids: readonly string[]): Promise<void> => {
        const asked = ids.flatMap((id) => slices.get(id) ?? []);
        const found = await executor.adopt(asked.map(({ handle }) => handle));
        const leftBehind: [string, SliceInHand][] = [];
        for (const [at, slice] of asked.entries()) {
          const id = slice.handle.slice;
          // It ended meanwhile.
          if (!slices.has(id)) continue;
          if (found[at] !== 'running') giveUp(id, slice);
          else if (isLeftBehind(slice)) leftBehind.push([id, slice]);
        }
        if (leftBehind.length > 0) end(executor, leftBehind).catch(crash);
      };
      await Promise.all([...byExecutor].map(([executor, ids]) => askOf(executor, ids)));
    },
    async submit(commands, onTaken) {
      const lists = new Map<NamedExecutor, Slice[]>();
      for (const { slice, order } of commands) {
        const { id, step, scope, tasks } = slice;
        const spec = specOf(step);
        if (spec === undefined) continue;
        if (isStopping) {
          stopped(slice, tasks);
          continue;
        }
        const named = watched(executorOf(spec));
        begin(named, step, scope, { slice: id, at: driverOf(named.name) }, tasks);
        listed(lists, named).push({ id, spec: order, tasks });
      }
      const all = [...lists].map(([named, list]) => {
        const onTheWay = executors.get(named.executor)?.onTheWay;
        const handed: Promise<void> = handOver(named, list)
          .then(
            () =>
              onTaken(
                named.executor,
                list.reduce((sum, { tasks }) => sum + tasks.length, 0),
              ),
            crash,
          )
          .finally(() => onTheWay?.delete(handed));
        onTheWay?.add(handed);
        return handed;
      });
      if (all.length > 0) await soon(Promise.all(all));
    },
    async drop(attempts) {
      const nameOf = (step: string, scope: string, task: string): string => `${step}\n${scope}\n${task}`;
      const gone = new Set(attempts.map((one) => nameOf(one.step, one.scope, `${one.index}:${one.attempt}`)));
      const ended = new Map<Executor, Handle[]>();
      for (const [id, { step, scope, left, named, handle }] of slices) {
        for (const task of left) if (gone.has(nameOf(step, scope, task))) left.delete(task);
        if (left.size > 0) continue;
        slices.delete(id);
        listed(ended, named.executor).push(handle);
      }
      await Promise.all([...ended].map(([executor, handles]) => executor.cancel(handles)));
    },
    async stopAll() {
      isStopping = true;
      const stop = async (executor: Executor, onTheWay: ReadonlySet<Promise<unknown>>): Promise<void> => {
        await Promise.all(onTheWay);
        const own = [...slices].filter(([, { named }]) => named.executor === executor);
        await end(executor, own);
      };
      await Promise.all([...executors].map(([executor, { onTheWay }]) => stop(executor, onTheWay)));
    },
    close() {
      for (const { unwatch } of executors.values()) unwatch();
    },
  };
}

/** Slices of which a task runs, by the run's rows. */
function runningSlices({ rows }: RunInHand) {
  const running = new Map<string, { readonly row: Row; readonly tasks: { index: number; attempt: number }[] }>();
  for (const scopes of rows.values()) {
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

async function soon(work: Promise<unknown>): Promise<void> {
  const ended = new AbortController();
  await Promise.race([work, delay(PATIENCE_MS, undefined, { signal: ended.signal }).catch(() => {})]);
  ended.abort();
}

function driverOf(executor: string): string {
  return executor.slice(executor.indexOf(':') + 1);
}

function listed<K, V>(map: Map<K, V[]>, key: K): V[] {
  let list = map.get(key);
  if (list === undefined) map.set(key, (list = []));
  return list;
}
