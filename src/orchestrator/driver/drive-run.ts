// Drives a run: events in, the reducer's changes as one transaction a batch, and only after it what they ask of the executor.

import { type Clock, fewAtOnce, HeadraceError, type Logger, toHeadraceError } from '../../core/index.ts';
import type { StepSpec } from '../../definitions/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { Batch } from '../engine/batch.ts';
import { pendingRows, takeBatch } from '../engine/changes.ts';
import type { Command, EngineEvent } from '../engine/events.ts';
import { graphOf } from '../engine/graph.ts';
import { claimable, next, nextDue } from '../engine/next.ts';
import { type KeptTask, type Row, type RunInHand, takeInHand } from '../engine/run-in-hand.ts';
import type { Executor, Handle, Resources, Slice, TaskEvent } from '../executors/executor.ts';
import { createStorageWait } from '../await-storage.ts';
import type { Hold, LoadedRun, RunStore } from '../rows/run-store.ts';
import { createSlotAsks, type PoolSizes } from './ask-for-slots.ts';
import { lostRun } from './lost-run.ts';
import { createOutputCache } from './output-cache.ts';
import { prepareStep } from './prepare-step.ts';
import { openResults } from './step-results.ts';

export interface DriveDeps {
  readonly store: RunStore;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The executor of a step, by its spec; the same one for the same spec. */
  readonly executorOf: (spec: StepSpec) => NamedExecutor;
  /**
   * The executor that has a slice, by the name that is kept with it: the setting or the definitions may send its step elsewhere by
   * now. Undefined where that one is not open here.
   */
  readonly executorNamed: (name: string) => NamedExecutor | undefined;
  /** How many slots each pool has: of all that the run's steps name. */
  readonly pools?: PoolSizes;
  /** On abort what runs is stopped and the run let go, to be resumed. */
  readonly signal?: AbortSignal;
  /** After each batch, and at first. */
  readonly onChange?: (run: RunInHand, batch: Batch | null) => void;
}

export interface NamedExecutor {
  /** What kind it is, and of which driver where it lives and dies with one: 'local:host/98/3fa9'. Slices are kept by it. */
  readonly name: string;
  readonly executor: Executor;
}

export type DriveEnd = 'succeeded' | 'failed' | 'cancelled' | 'interrupted';

/** What ended, and what is to be claimed, waits so long for more of it. */
const GATHER_MS = 20;
const MOST_ROWS = 500;
/** Steps that wait for what they need to be read and their orders to be written, of one batch. */
const PREPARES_AT_ONCE = 16;
/** A third of a lease: two may fail. */
const RENEW_MS = 5000;

/**
 * Runs the rest of a run that was taken by `hold`, from its rows as they were read since. Throws HR_CONFLICT once another has it, after all that it started is stopped, and
 * what the database or the artifact store throws for good.
 */
export async function driveRun(
  deps: DriveDeps,
  loaded: LoadedRun,
  hold: Hold,
): Promise<{ readonly end: DriveEnd; readonly error: string | null }> {
  const drive = createDrive(deps, hold, loaded);
  try {
    return await drive.run();
  } finally {
    await drive.close();
  }
}

interface SliceInHand {
  readonly named: NamedExecutor;
  readonly step: string;
  readonly scope: string;
  handle: Handle | undefined;
  /** Attempts that have not ended, as `index:attempt`: an executor may tell of those again that ended under another driver. */
  readonly left: Set<string>;
}

function createDrive(deps: DriveDeps, hold: Hold, loaded: LoadedRun) {
  const { id } = loaded.run;
  const { store, objects, clock, logger, signal } = deps;
  const patiently = createStorageWait({ logger, what: `run ${id}`, signal });
  const graph = graphOf(loaded.run.spec);
  const run = takeInHand(
    { id, graph, keepsGoing: loaded.run.keepGoing, isCancelled: false },
    loaded.steps,
    loaded.tasks.flatMap(({ state, slice, startedAt, ...task }): KeptTask[] =>
      state === 'failed' ? [] : [{ ...task, state, slice: slice ?? '', startedAt: startedAt ?? 0 }],
    ),
    loaded.pools,
  );
  const cache = createOutputCache({ store, objects }, run);
  const slices = new Map<string, SliceInHand>();
  const executors = new Map<Executor, () => void>();
  let events: EngineEvent[] = [];
  let commands: Command[] = [];
  let batchNumber = 1;
  let wake: (() => void) | undefined;
  let crash: unknown;
  let isInterrupted = false;
  /** Slices are on their way to an executor: what it does not know yet it cannot end. */
  let submitting: Promise<unknown> = Promise.resolve();
  /** Another process has written something: it may want this run cancelled. */
  let isAsked = false;

  const post = (...more: readonly EngineEvent[]): void => {
    for (const event of more) events.push(event);
    wake?.();
  };

  const slots = createSlotAsks({ store, sizes: deps.pools ?? {}, logger, post }, run, hold.epoch);

  const specOf = (step: string): StepSpec | undefined => {
    const node = graph.nodes.get(step);
    return node?.kind === 'step' ? node.spec : undefined;
  };

  const watched = (spec: StepSpec): NamedExecutor => watchedAs(deps.executorOf(spec));
  const watchedAs = (named: NamedExecutor): NamedExecutor => {
    if (!executors.has(named.executor)) executors.set(named.executor, named.executor.watch(hear));
    return named;
  };

  const hear = (heard: readonly TaskEvent[]): void => {
    const told: EngineEvent[] = [];
    for (const event of heard) {
      if (event.kind === 'started') continue;
      const slice = slices.get(event.slice);
      if (slice === undefined) continue;
      if (!slice.left.delete(`${event.index}:${event.attempt}`)) continue;
      if (slice.left.size === 0) slices.delete(event.slice);
      const { step, scope } = slice;
      const { index, attempt } = event;
      if (event.kind === 'succeeded')
        told.push({ kind: 'succeeded', step, scope, index, attempt, output: event.output });
      else if (event.kind === 'lost') told.push({ kind: 'lost', step, scope, index, attempt, reason: event.reason });
      else told.push({ kind: 'failed', step, scope, index, attempt, reason: event.reason, isFinal: event.isFinal });
    }
    post(...told);
  };

  /** Work beside the loop; what it throws ends the loop. */
  const beside = (work: Promise<void>): void => {
    work.catch((error: unknown) => {
      crash ??= error;
      wake?.();
    });
  };

  /** What another driver had handed over: what still runs goes on, of the rest nothing is left. */
  const adopt = async (): Promise<void> => {
    const running = new Map<string, { readonly row: Row; readonly tasks: { index: number; attempt: number }[] }>();
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
    const keptAt = new Map(loaded.slices.map(({ id: slice, executor }) => [slice, executor]));
    for (const [slice, { row, tasks }] of running) {
      const spec = specOf(row.node.name);
      if (spec === undefined) continue;
      const at = keptAt.get(slice) ?? '';
      const named = watchedAs(deps.executorNamed(at) ?? deps.executorOf(spec));
      const handle = { slice, at: driverOf(at) };
      slices.set(slice, { named, step: row.node.name, scope: row.scope, handle, left: namesOf(tasks) });
      const [found] = await named.executor.adopt([handle]);
      if (found === 'running') continue;
      slices.delete(slice);
      for (const { index, attempt } of tasks)
        post({ kind: 'stopped', step: row.node.name, scope: row.scope, index, attempt });
    }
  };

  /** Of each executor: tasks that are claimed, and that it does not know of yet. */
  const claimed = new Map<Executor, number>();
  const claimWhereRoom = (at: number): void => {
    // Many items of a group may have one step open: where there is no room for one of them, there is none for the others.
    const full = new Set<Row['node']>();
    for (const row of claimable(run, at)) {
      if (row.node.kind !== 'step' || full.has(row.node)) continue;
      const { spec } = row.node;
      const named = watched(spec);
      const { tasks, perSlice } = named.executor.room(resourcesOf(spec));
      const ahead = claimed.get(named.executor) ?? 0;
      const room = Math.min(tasks - ahead, MOST_ROWS);
      if (room <= 0) {
        full.add(row.node);
        continue;
      }
      const before = run.runningTasks;
      tell({ kind: 'room', step: row.node.name, scope: row.scope, tasks: room, perSlice, executor: named.name }, at);
      claimed.set(named.executor, ahead + run.runningTasks - before);
    }
    const roomFor = (spec: StepSpec) => {
      const { executor } = watched(spec);
      return { of: executor, tasks: executor.room(resourcesOf(spec)).tasks - (claimed.get(executor) ?? 0) };
    };
    slots.want(at, roomFor, (event) => tell(event, at));
  };

  const tell = (event: EngineEvent, at: number): void => {
    for (const command of next(run, event, at)) commands.push(command);
  };

  /** Whoever takes the run while the database is waited for has raised its epoch. */
  const flush = async (batch: Batch): Promise<boolean> => {
    const { isCancelRequested, refused } = await patiently(() => store.flush(id, hold.epoch, batchNumber, batch));
    if (refused > 0) throw new HeadraceError('HR_INTERNAL', `${refused} changes of run ${id} did not fit its rows`);
    batchNumber += 1;
    return isCancelRequested;
  };

  /** A few at a time, as each waits for the artifact store; told in the order declared, so that what is written first begins first. */
  const prepareAll = async (commands: readonly Extract<Command, { kind: 'prepare' }>[]): Promise<void> => {
    const results = openResults({ store, objects }, run);
    const prepared = { id, graph, params: loaded.run.params };
    const few = fewAtOnce(PREPARES_AT_ONCE);
    const preparing = commands.map((command) =>
      few(() => patiently(() => prepareStep(objects, results, prepared, command))),
    );
    // The first that throws is told below; of the others nothing is missed.
    for (const one of preparing) one.catch(() => {});
    for (const one of preparing) post(await one);
  };

  /** Once the rows are there. */
  const perform = async (): Promise<void> => {
    const todo = commands;
    commands = [];
    const submits = new Map<NamedExecutor, Slice[]>();
    const prepares: Extract<Command, { kind: 'prepare' }>[] = [];
    const asks: Extract<Command, { kind: 'ask' }>[] = [];
    for (const command of todo) {
      if (command.kind === 'prepare') {
        prepares.push(command);
      } else if (command.kind === 'look up') {
        beside(patiently(() => cache.lookUp(command)).then((event) => post(event)));
      } else if (command.kind === 'submit') {
        const { id: slice, step, scope, tasks } = command.slice;
        const spec = specOf(step);
        if (spec === undefined) continue;
        const named = watched(spec);
        slices.set(slice, { named, step, scope, handle: undefined, left: namesOf(tasks) });
        const list = submits.get(named) ?? [];
        list.push({ id: slice, spec: command.order, tasks });
        submits.set(named, list);
      } else if (command.kind === 'ask') asks.push(command);
      else if (command.kind === 'cancel') beside(stopAll());
    }
    if (asks.length > 0) beside(slots.ask(asks).then((events) => post(...events)));
    if (prepares.length > 0) beside(prepareAll(prepares));
    for (const [named, list] of submits) {
      claimed.delete(named.executor);
      const handles = named.executor.submit(list);
      submitting = handles.catch(() => {}); // told by the loop, which waits for it
      for (const handle of await handles) {
        const slice = slices.get(handle.slice);
        if (slice !== undefined) slice.handle = handle;
      }
    }
  };

  /** Ends all that runs; what did not end first is told as stopped. */
  const stopAll = async (): Promise<void> => {
    await submitting;
    const byExecutor = new Map<Executor, Handle[]>();
    for (const [slice, { named, handle }] of slices)
      byExecutor.set(named.executor, [
        ...(byExecutor.get(named.executor) ?? []),
        handle ?? { slice, at: driverOf(named.name) },
      ]);
    await Promise.all([...byExecutor].map(([executor, handles]) => executor.cancel(handles)));
    for (const scopes of run.rows.values())
      for (const { node, scope, tasks } of scopes.values())
        for (const { index, attempt, isRunning } of tasks.values())
          if (isRunning) post({ kind: 'stopped', step: node.name, scope, index, attempt });
    slices.clear();
  };

  const interrupt = async (): Promise<void> => {
    isInterrupted = true;
    await stopAll();
  };

  const loop = async (): Promise<void> => {
    let flushedMs = -Infinity;
    let renewedMs = performance.now();
    for (;;) {
      if (crash !== undefined) throw crash;
      const at = clock.nowMicros();
      const heard = events;
      events = [];
      for (const event of heard) tell(event, at);
      if (!isInterrupted) claimWhereRoom(at);
      const nowMs = performance.now();
      const isDue = pendingRows(run) >= MOST_ROWS || nowMs - flushedMs >= GATHER_MS || run.end !== null;
      const taken = isDue ? takeBatch(run, at) : null;
      if (taken !== null) {
        const batch = { ...taken, cached: await cache.outputsOf(taken.tasks, at) };
        const isCancelRequested = await flush(batch);
        flushedMs = renewedMs = performance.now();
        deps.onChange?.(run, batch);
        if (run.end !== null) return;
        await perform();
        if (isCancelRequested) post({ kind: 'cancel' });
        continue;
      }
      // Nothing of it has to be written first.
      if (isDue && commands.length > 0) {
        await perform();
        continue;
      }
      const isWritten = pendingRows(run) === 0 && events.length === 0;
      if (isInterrupted && isWritten && run.runningTasks === 0) return;
      if (isAsked || nowMs - renewedMs >= RENEW_MS) {
        isAsked = false;
        const isToRenew = nowMs - renewedMs >= RENEW_MS;
        const held = await patiently(() => (isToRenew ? store.renew(id, hold.epoch) : store.look(id, hold.epoch)));
        if (isToRenew) renewedMs = performance.now();
        if (held === 'lost') throw lostRun(id);
        if (held === 'cancelled') post({ kind: 'cancel' });
      }
      if (events.length > 0) continue;
      const untilDueMs = Math.max(0, (nextDue(run) - at) / 1000);
      const untilFlushMs =
        pendingRows(run) > 0 || commands.length > 0 ? Math.max(1, GATHER_MS - (nowMs - flushedMs)) : Infinity;
      await sleep(Math.min(untilDueMs, untilFlushMs, RENEW_MS));
    }
  };

  const sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(done, Math.max(1, ms));
      function done(): void {
        clearTimeout(timer);
        wake = undefined;
        resolve();
      }
      wake = done;
      // Between the look and this something may have come.
      if (events.length > 0 || crash !== undefined || isAsked) done();
    });

  return {
    async run(): Promise<{ readonly end: DriveEnd; readonly error: string | null }> {
      const stopWatching = await store.listen(() => {
        isAsked = true;
        wake?.();
      });

      const onAbort = (): void => beside(interrupt());
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        await slots.listen();
        deps.onChange?.(run, null);
        await adopt();
        if (hold.isCancelRequested) post({ kind: 'cancel' });
        post({ kind: 'begin' });
        if (signal?.aborted === true) onAbort();
        await loop();
      } catch (error) {
        await stopAll().catch(() => {});
        // What is no step's failure leaves the run to be gone on with, if that can still be written.
        if (toHeadraceError(error).code !== 'HR_CONFLICT') await store.release(id, hold.epoch).catch(() => {});
        throw error;
      } finally {
        signal?.removeEventListener('abort', onAbort);
        await stopWatching();
      }
      if (run.end === null) await store.release(id, hold.epoch);
      return { end: run.end ?? 'interrupted', error: run.failure };
    },
    async close(): Promise<void> {
      await slots.close();
      for (const unwatch of executors.values()) unwatch();
    },
  };
}

function resourcesOf({ resources, action, isolate }: StepSpec): Resources {
  return { ...resources, action: action.kind, ...(isolate === true ? { isolate } : {}) };
}

function namesOf(tasks: Slice['tasks']): Set<string> {
  return new Set(tasks.map(({ index, attempt }) => `${index}:${attempt}`));
}

function driverOf(executor: string): string {
  return executor.slice(executor.indexOf(':') + 1);
}
