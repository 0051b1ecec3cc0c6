// Makes the rows of one run of what its results say: the reducer that drives runs here goes over them as if they came just now, at the
// times that the artifact store has of them, so that it is the same rows whenever, and however often, it is done.

import { fewAtOnce, HeadraceError, type Micros, toHeadraceError } from '../../core/index.ts';
import type { PipelineSpec } from '../../definitions/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import { keepLease } from '../driver/keep-lease.ts';
import { prepareStep } from '../driver/prepare-step.ts';
import { openResults, type StepResults } from '../driver/step-results.ts';
import type { TaskOutput } from '../engine/batch.ts';
import { pendingRows, takeBatch } from '../engine/changes.ts';
import type { Command, EngineEvent } from '../engine/events.ts';
import { graphOf, scopeAround } from '../engine/graph.ts';
import { next } from '../engine/next.ts';
import type { Row } from '../engine/run-in-hand.ts';
import { mayClaim } from '../engine/settle.ts';
import type { Hold, LoadedRun, RunStore } from '../rows/run-store.ts';
import { takeLoaded } from '../rows/take-loaded.ts';
import { beginAttempt, endBefore, handOver } from './attempts.ts';
import { readEnd } from './end-document.ts';
import { firstFailure } from './first-failure.ts';
import type { KeepModels } from './kept-models.ts';
import type { SyncProblem } from './problems.ts';
import { storeSpec } from './spec-document.ts';
import { type AttemptEnd, listRecords, readAttemptEnd, readTaskResult, type TaskRecords } from './task-records.ts';
import { createTimeOrder } from './time-order.ts';

export interface SyncRowsDeps {
  readonly store: RunStore;
  readonly objects: ObjectStore;
  readonly models: KeepModels;
  /** Told of what is no result, and goes on with the others. */
  readonly onProblem: (problem: SyncProblem) => void;
  readonly signal?: AbortSignal;
}

/** Tasks that ended, by how, since the rows were made last. */
export interface Taken {
  succeeded: number;
  failed: number;
}

/** What lies there of a task, read. */
interface Read {
  readonly index: number;
  readonly result: { readonly attempt: number; readonly output: TaskOutput; readonly at: Micros } | undefined;
  /** Of the attempts before it. */
  readonly ends: readonly { readonly attempt: number; readonly end: AttemptEnd; readonly at: Micros }[];
}

const MOST_ROWS = 500;
/** Tasks that are handed over at once. */
const AT_ONCE = 1000;
const READS_AT_ONCE = 32;

/**
 * Of a run that was taken by `hold`. Throws HR_CONFLICT once another has it, and what the database or the artifact store throws; rows
 * that were written until then hold, and the next goes on from them.
 */
export async function syncRows(deps: SyncRowsDeps, loaded: LoadedRun, hold: Hold): Promise<Taken> {
  const { store, objects, models, onProblem, signal } = deps;
  const { id, manifestHash, params, spec, createdAt } = loaded.run;
  const graph = graphOf(withoutLimits(spec));
  // Its steps need no slots there.
  const run = takeLoaded({ ...loaded, pools: [] }, graph);
  const failures = await firstFailure(store, loaded, graph);
  const taken: Taken = { succeeded: 0, failed: 0 };
  const few = fewAtOnce(READS_AT_ONCE);
  const commands: Command[] = [];
  let latest = newestOf(loaded);
  let batchNumber = 1;
  let lost: unknown;
  let isCancelRequested = hold.isCancelRequested;

  const tell = (event: EngineEvent, at: Micros): void => {
    latest = Math.max(latest, at);
    for (const command of next(run, event, at)) commands.push(command);
  };

  const flush = async (): Promise<void> => {
    const batch = takeBatch(run, latest);
    if (batch === null) return;
    for (const { state } of batch.tasks) if (state === 'succeeded' || state === 'failed') taken[state] += 1;
    const flushed = await store.flush(id, hold.epoch, batchNumber, failures.told(batch));
    if (flushed.refused > 0)
      throw new HeadraceError('HR_INTERNAL', `${flushed.refused} changes of run ${id} did not fit its rows`);
    batchNumber += 1;
    lease.renewed();
    isCancelRequested ||= flushed.isCancelRequested;
  };

  const mayGoOn = (): void => {
    if (signal?.aborted === true) throw interrupted(id);
    if (lost !== undefined) throw lost;
  };

  /** What a step needs has ended then. */
  const readyAt = ({ node, scope }: Row): Micros => {
    const around = node.around.at(-1);
    const group =
      around === undefined ? undefined : run.rows.get(around)?.get(scopeAround(scope, node.around.length - 1));
    const needs = node.needs.map((need) => {
      const depth = graph.nodes.get(need)?.around.length ?? 0;
      return run.rows.get(need)?.get(scopeAround(scope, depth))?.endedAt ?? 0;
    });
    return Math.max(createdAt, group?.openedAt ?? 0, ...needs);
  };

  const prepareOne = async (
    results: StepResults,
    command: Extract<Command, { kind: 'prepare' }>,
  ): Promise<EngineEvent> => {
    const event = await prepareStep(objects, results, { id, manifestHash, graph, params }, command);
    if (event.kind !== 'prepared' || !event.passes || event.order === null) return event;
    const { step, scope, children } = event;
    const first = await storeSpec(objects, id, { step, scope }, { spec: event.order, tasks: children });
    return { ...event, order: first.spec };
  };

  /** Once all rows are written: it goes by what they give. */
  const prepare = async (): Promise<void> => {
    const results = openResults({ store, objects }, run);
    const todo = commands.splice(0).flatMap((command) => {
      const row = command.kind === 'prepare' ? run.rows.get(command.step)?.get(command.scope) : undefined;
      return command.kind === 'prepare' && row !== undefined ? [{ command, row, at: readyAt(row) }] : [];
    });
    const events = await Promise.all(todo.map(({ command }) => few(() => prepareOne(results, command))));
    for (const [place, { row, at }] of todo.entries()) {
      const event = events[place];
      if (event === undefined) continue;
      if (event.kind === 'unprepared') failures.note(row, at, `step "${event.step}": ${event.reason}`);
      tell(event, at);
    }
  };

  const openRows = (): Row[] =>
    [...run.rows.values()].flatMap((rows) =>
      [...rows.values()].filter((row) => row.node.kind === 'step' && row.state === 'open'),
    );

  const handOverAll = async (): Promise<void> => {
    for (const row of openRows()) {
      while (mayClaim(run, row) && row.nextIndex < (row.children ?? 0)) {
        handOver(run, row, AT_ONCE);
        if (pendingRows(run) >= MOST_ROWS) await flush();
      }
    }
  };

  const order = createTimeOrder<Read>({
    list: (row) => few(() => listRecords(objects, id, { step: row.node.name, scope: row.scope })),
    read: (row, index, found) => few(() => readRecord(row, index, found)),
  });

  /** Undefined where something of it is no record: the task stays as it is. */
  const readRecord = async (row: Row, index: number, found: TaskRecords): Promise<Read | undefined> => {
    let key = found.result?.key ?? '';
    try {
      const stored = found.result === undefined ? undefined : await readTaskResult(objects, found.result);
      const ends: { attempt: number; end: AttemptEnd; at: Micros }[] = [];
      for (const one of found.attempts) {
        key = one.key;
        if (stored !== undefined && one.attempt >= stored.attempt) break;
        const end = await readAttemptEnd(objects, one);
        if (end !== undefined) ends.push({ attempt: one.attempt, end, at: one.at });
      }
      if (stored === undefined || found.result === undefined) return { index, result: undefined, ends };
      if (row.node.kind === 'step' && row.node.spec.action.kind === 'registerModel')
        await models.keep({ run: id, key: found.result.key, order: row.order, output: stored.output });
      return { index, result: { attempt: stored.attempt, output: stored.output, at: found.result.at }, ends };
    } catch (error) {
      const { code, message } = toHeadraceError(error);
      if (code !== 'HR_ARTIFACT_UNREADABLE') throw error;
      onProblem({ key, reason: message });
      return undefined;
    }
  };

  const apply = (row: Row, { index, result, ends }: Read): void => {
    const task = row.tasks.get(index);
    if (task === undefined) return;
    const place = { step: row.node.name, scope: row.scope, index };
    let since = row.openedAt ?? 0;
    for (const { attempt, end, at } of ends) {
      if (attempt < task.attempt || (attempt === task.attempt && !task.isRunning)) {
        // An earlier look has told it.
        since = at;
        continue;
      }
      beginAttempt(run, row, task, attempt, since);
      since = at;
      if (result !== undefined) {
        endBefore(run, row, task, end, at);
        continue;
      }
      tell({ ...place, attempt, ...end }, at);
      if (row.tasks.has(index)) continue;
      failures.noteTask(row, task, end, at);
      return;
    }
    if (result === undefined) return;
    beginAttempt(run, row, task, result.attempt, since);
    tell({ ...place, kind: 'succeeded', attempt: result.attempt, output: result.output }, result.at);
  };

  const stopAll = (at: Micros): void => {
    tell({ kind: 'cancel' }, at);
    for (const { node, scope, tasks } of openRows())
      for (const { index, attempt, isRunning } of tasks.values())
        if (isRunning) tell({ kind: 'stopped', step: node.name, scope, index, attempt }, at);
  };

  /** Until the results say no more. */
  const settle = async (): Promise<void> => {
    let hasOpened = true;
    while (run.end === null) {
      mayGoOn();
      if (commands.length > 0) {
        await flush();
        await prepare();
        hasOpened = true;
        continue;
      }
      if (hasOpened) {
        await handOverAll();
        await order.add(openRows());
        hasOpened = false;
      }
      const first = await order.next();
      if (first === undefined) break;
      if (first.read !== undefined) apply(first.row, first.read);
      if (pendingRows(run) >= MOST_ROWS) await flush();
    }
    await flush();
  };

  const whole = async (): Promise<void> => {
    // Read first: what it says is over has put its results before.
    const end = await readEnd(objects, id).catch((error: unknown) => {
      const { code, message } = toHeadraceError(error);
      if (code !== 'HR_ARTIFACT_UNREADABLE') throw error;
      onProblem({ key: `runs/${id}/end.json`, reason: message });
      return undefined;
    });
    tell({ kind: 'begin' }, latest);
    await settle();
    if (run.end === null && end?.state === 'succeeded' && !isCancelRequested) {
      const left = openRows().map(({ node, scope }) => `${node.name}${scope === '' ? '' : `[${scope}]`}`);
      const reason = `it says that the run succeeded, and there are tasks without a result, of ${left.slice(0, 5).join(', ')}; it is taken for going on`;
      onProblem({ key: `runs/${id}/end.json`, reason });
    } else if (run.end === null && (end !== undefined || isCancelRequested)) {
      if (end?.state === 'failed' && run.failure === null) {
        const reason = end.reason ?? 'the system that drives it gave it up';
        run.failure = reason;
        failures.note(undefined, end.at, reason);
      }
      stopAll(Math.max(latest, end?.at ?? 0));
      await settle();
    }
  };

  // What is listed and read may take longer than a lease.
  const lease = keepLease(
    store,
    { id, epoch: hold.epoch },
    { onLost: (error) => (lost = error), onCancelled: () => (isCancelRequested = true) },
  );
  try {
    await whole();
  } finally {
    lease.close();
  }
  return taken;
}

function interrupted(id: string): HeadraceError {
  return new HeadraceError('HR_CONFLICT', `run ${id} was not synced to its end: it was interrupted; sync it again`);
}

/** What bounds and orders tasks here is nothing to the system that runs them elsewhere. */
function withoutLimits(pipeline: PipelineSpec): PipelineSpec {
  return {
    ...pipeline,
    steps: pipeline.steps.map(({ pool: _pool, parallel: _parallel, cache: _cache, ...step }) => step),
  };
}

function newestOf({ run, steps }: LoadedRun): Micros {
  return steps.reduce((at, { openedAt, endedAt }) => Math.max(at, openedAt ?? 0, endedAt ?? 0), run.createdAt);
}
