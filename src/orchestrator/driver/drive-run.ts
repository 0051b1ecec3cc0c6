// Drives a run: events in, the reducer's changes as one transaction a batch, and only after it what they ask of the executor.

import { type Clock, fewAtOnce, HeadraceError, type Logger, toHeadraceError } from '../../core/index.ts';
import type { StepSpec } from '../../definitions/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { Batch } from '../engine/batch.ts';
import { pendingRows, takeBatch } from '../engine/changes.ts';
import type { Command, EngineEvent } from '../engine/events.ts';
import { graphOf } from '../engine/graph.ts';
import { claimable, next, nextDue } from '../engine/next.ts';
import type { Row, RunInHand } from '../engine/run-in-hand.ts';
import type { Executor, Resources } from '../executors/executor.ts';
import { createStorageWait } from '../await-storage.ts';
import type { Hold, LoadedRun, PoolHolder, RunStore } from '../rows/run-store.ts';
import { takeLoaded } from '../rows/take-loaded.ts';
import { createSlotAsks, type PoolSizes } from './ask-for-slots.ts';
import { createHandedSlices, type KnownExecutors } from './handed-slices.ts';
import { type KeptLease, keepLease } from './keep-lease.ts';
import { lostRun } from './lost-run.ts';
import { readMachine } from './cache-reads.ts';
import { createOutputCache } from './output-cache.ts';
import { type CacheReader, prepareStep } from './prepare-step.ts';
import { openResults } from './step-results.ts';

export interface DriveDeps extends KnownExecutors {
  readonly store: RunStore;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What cached steps go by beside their orders. Left out: this machine's platform and version of Node alone. */
  readonly cacheReads?: CacheReader;
  /** How many slots each pool has: of all that the run's steps name. */
  readonly pools?: PoolSizes;
  /** On abort what runs is stopped and the run let go, to be resumed. */
  readonly signal?: AbortSignal;
  /** After each batch, and at first. */
  readonly onChange?: (run: RunInHand, batch: Batch | null) => void;
  /** While it waits for slots of pools, each second: which others have some; none once it does not wait any more. */
  readonly onPoolWait?: (run: RunInHand, holders: readonly PoolHolder[]) => void;
}

export interface Driven {
  readonly end: 'succeeded' | 'failed' | 'cancelled' | 'interrupted';
  readonly error: string | null;
}

/** What ended, and what is to be claimed, waits so long for more of it. */
const GATHER_MS = 20;
const MOST_ROWS = 500;
/** Steps that wait for what they need to be read and their orders to be written, of one batch. */
const PREPARES_AT_ONCE = 16;
/** It looks so often, whether or not it was woken. */
const LOOK_MS = 5000;

/**
 * Runs the rest of a run that was taken by `hold`, from its rows as they were read since. Throws HR_CONFLICT once another has it,
 * after all that it started is stopped, and what the database or the artifact store throws for good.
 */
export async function driveRun(deps: DriveDeps, loaded: LoadedRun, hold: Hold): Promise<Driven> {
  const drive = createDrive(deps, hold, loaded);
  try {
    return await drive.run();
  } finally {
    await drive.close();
  }
}

function createDrive(deps: DriveDeps, hold: Hold, loaded: LoadedRun) {
  const { id } = loaded.run;
  const { store, objects, clock, logger, signal } = deps;
  const patiently = createStorageWait({ logger, what: `run ${id}`, signal });
  const graph = graphOf(loaded.run.spec);
  const run = takeLoaded(loaded, graph);
  const cacheReads = deps.cacheReads ?? readMachine;
  const cache = createOutputCache({ store, objects, cacheReads }, run);
  const lists = new Map<string, string>();
  let events: EngineEvent[] = [];
  let commands: Command[] = [];
  let batchNumber = 1;
  let wake: (() => void) | undefined;
  let crash: unknown;
  let isInterrupted = false;
  /** Another process has written something: it may want this run cancelled. */
  let isAsked = false;

  const post = (...more: readonly EngineEvent[]): void => {
    for (const event of more) events.push(event);
    wake?.();
  };

  const onHolders = deps.onPoolWait && ((holders: readonly PoolHolder[]) => deps.onPoolWait?.(run, holders));
  const slots = createSlotAsks({ store, sizes: deps.pools ?? {}, logger, post, onHolders }, run, hold.epoch);

  const fail = (error: unknown): void => {
    crash ??= error;
    wake?.();
  };

  /** Work beside the loop; what it throws ends the loop. */
  const beside = (work: Promise<void>): void => void work.catch(fail);

  const handed = createHandedSlices(deps, run, { post, crash: fail });

  /** Of each executor: tasks that are claimed, and that it does not know of yet. */
  const claimed = new Map<Executor, number>();
  const claimWhereRoom = (at: number): void => {
    // Many items of a group may have one step open: where there is no room for one of them, there is none for the others.
    const full = new Set<Row['node']>();
    for (const row of claimable(run, at)) {
      if (row.node.kind !== 'step' || full.has(row.node)) continue;
      const { spec } = row.node;
      const named = handed.executorOf(spec);
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
      const { executor } = handed.executorOf(spec);
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
    const { manifestHash, params } = loaded.run;
    const prepared = { id, manifestHash, graph, params, cacheReads, lists };
    const few = fewAtOnce(PREPARES_AT_ONCE);
    const preparing = commands.map((command) =>
      few(() =>
        patiently(() => {
          const row = run.rows.get(command.step)?.get(command.scope);
          return prepareStep(objects, results, prepared, command, row);
        }),
      ),
    );
    // The first that throws is told below; of the others nothing is missed.
    for (const one of preparing) one.catch(() => {});
    for (const one of preparing) post(await one);
  };

  const onTaken = (executor: Executor, tasks: number): void =>
    void claimed.set(executor, (claimed.get(executor) ?? 0) - tasks);

  /** Once the rows are there. */
  const perform = async (): Promise<void> => {
    const todo = commands;
    commands = [];
    const submits: Extract<Command, { kind: 'submit' }>[] = [];
    const prepares: Extract<Command, { kind: 'prepare' }>[] = [];
    const asks: Extract<Command, { kind: 'ask' }>[] = [];
    for (const command of todo) {
      if (command.kind === 'prepare') prepares.push(command);
      else if (command.kind === 'look up') beside(patiently(() => cache.lookUp(command)).then((event) => post(event)));
      else if (command.kind === 'submit') submits.push(command);
      else if (command.kind === 'ask') asks.push(command);
      else if (command.kind === 'drop') beside(handed.drop(command.attempts));
      else if (command.kind === 'cancel') beside(handed.stopAll());
    }
    if (asks.length > 0) beside(slots.ask(asks).then((events) => post(...events)));
    if (prepares.length > 0) beside(prepareAll(prepares));
    await handed.submit(submits, onTaken);
  };

  const interrupt = async (): Promise<void> => {
    isInterrupted = true;
    await handed.stopAll();
  };

  const loop = async (lease: KeptLease): Promise<void> => {
    let flushedMs = -Infinity;
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
        const batch = { ...taken, cached: await patiently(() => cache.outputsOf(taken, at)) };
        const isCancelRequested = await flush(batch);
        flushedMs = performance.now();
        lease.renewed();
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
      if (isAsked) {
        isAsked = false;
        const held = await patiently(() => store.look(id, hold.epoch));
        if (held === 'lost') throw lostRun(id);
        if (held === 'cancelled') post({ kind: 'cancel' });
      }
      if (events.length > 0) continue;
      const untilDueMs = Math.max(0, (nextDue(run) - at) / 1000);
      const untilFlushMs =
        pendingRows(run) > 0 || commands.length > 0 ? Math.max(1, GATHER_MS - (nowMs - flushedMs)) : Infinity;
      await sleep(Math.min(untilDueMs, untilFlushMs, LOOK_MS));
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
    async run(): Promise<Driven> {
      const stopWatching = await store.listen(() => {
        isAsked = true;
        wake?.();
      });

      const onAbort = (): void => beside(interrupt());
      signal?.addEventListener('abort', onAbort, { once: true });
      const onCancelled = (): void => post({ kind: 'cancel' });
      const lease = keepLease(store, { id, epoch: hold.epoch }, { onLost: fail, onCancelled });
      try {
        await slots.listen();
        deps.onChange?.(run, null);
        await handed.adopt(loaded.slices);
        if (hold.isCancelRequested) post({ kind: 'cancel' });
        post({ kind: 'begin' });
        if (signal?.aborted === true) onAbort();
        await loop(lease);
      } catch (error) {
        await handed.stopAll().catch(() => {});
        // What is no step's failure leaves the run to be gone on with, if that can still be written.
        if (toHeadraceError(error).code !== 'HR_CONFLICT') await store.release(id, hold.epoch).catch(() => {});
        throw error;
      } finally {
        lease.close();
        signal?.removeEventListener('abort', onAbort);
        await stopWatching();
      }
      if (run.end === null) await store.release(id, hold.epoch);
      return { end: run.end ?? 'interrupted', error: run.failure };
    },
    async close(): Promise<void> {
      await slots.close();
      handed.close();
    },
  };
}

function resourcesOf({ resources, action, isolate }: StepSpec): Resources {
  return { ...resources, action: action.kind, ...(isolate === true ? { isolate } : {}) };
}
