// Starting and resuming runs.

import { HeadraceError, stringifyJson } from '../core/index.ts';
import type { PipelineSpec } from '../definitions/index.ts';
import { checkPools } from './check-pools.ts';
import { checkRunnable } from './check-runnable.ts';
import { editsOf, sentenceOf } from './describe-edit.ts';
import { drive } from './drive.ts';
import type { Executor } from './executors/executor.ts';
import { findPipeline } from './find-pipeline.ts';
import { firstRows, graphOf } from './engine/graph.ts';
import { newOwner } from './lease.ts';
import type { OrchestratorDeps } from './orchestrator-deps.ts';
import { CancelledSinceError, RunHeldError } from './rows/run-lease.ts';
import { openRunStore } from './rows/open-run-store.ts';
import type { Hold, RunStore } from './rows/run-store.ts';
import { keptSteps } from './rerun.ts';
import { paramsOfNow, resolveParams } from './run-params.ts';
import { getRun, type RunResult } from './shown-runs.ts';
import { storeCode } from './store-code.ts';
import { whileHeld } from './while-held.ts';

/**
 * Runs a pipeline to its end. Throws HR_UNKNOWN_PIPELINE, HR_INVALID for its parameters, HR_STEP_FAILED.
 * What finished before a failure or a kill stays, for `resumeRun`.
 */
export async function runPipeline(
  deps: OrchestratorDeps,
  request: {
    readonly pipeline: string;
    readonly params?: Readonly<Record<string, unknown>>;
    /** What does not need a step that failed goes on. */
    readonly keepGoing?: boolean;
    readonly onStart?: (id: string) => void;
  },
): Promise<RunResult> {
  const pipeline = requirePipeline(deps, request.pipeline);
  const params = resolveParams(pipeline, request.params ?? {});
  await storeCode(deps.objects, deps.definitions, pipeline);
  const store = await openRunStore(deps.database, deps.clock);
  const { id } = await store.create({
    pipeline,
    params,
    manifestHash: deps.definitions.hash,
    keepGoing: request.keepGoing ?? false,
    state: 'running',
    steps: firstRows(graphOf(pipeline)),
  });
  request.onStart?.(id);
  const driver = newOwner();
  await drive(deps, store, id, driver, await store.take(id, driver));
  return await getRun(deps, id);
}

/**
 * Goes on with a run that failed, was cancelled or lost its driver, by the code of now; finished tasks are not run again. While
 * somebody drives it, that is waited for; where it was to be cancelled meanwhile it is, and HR_CONFLICT says so. `onFound` hears of which pipeline it is, `onChanged` which finished steps had other code.
 */
export async function resumeRun(
  deps: OrchestratorDeps,
  id: string,
  {
    onFound,
    onChanged,
  }: {
    readonly onFound?: (pipeline: string) => void;
    readonly onChanged?: (steps: readonly string[]) => void;
  } = {},
): Promise<RunResult> {
  const store = await openRunStore(deps.database, deps.clock);
  const { run, steps } = await store.get(id);
  onFound?.(run.pipeline);
  const pipeline = requirePipeline(deps, run.pipeline);
  await storeCode(deps.objects, deps.definitions, pipeline);
  const code = { pipeline, manifestHash: deps.definitions.hash, params: paramsOfNow(pipeline, run.params) };
  const driver = newOwner();
  const standby = createStandby(deps, driver);
  const waiting = { signal: deps.signal, onWait: deps.onWait, onHeld: () => standby.prepare() };
  try {
    const resume = { keepDone: true, code, asked: run.lastEvent };
    const asked = await whileHeld(waiting, () => store.requestResume(id, resume)).catch((error: unknown) => {
      if (error instanceof CancelledSinceError) return error;
      throw error;
    });
    if (asked instanceof CancelledSinceError) {
      const hold = asked.isUnderWay ? await whileHeld(waiting, () => takeUnlessEnded(store, id, driver)) : null;
      if (hold !== null) await drive(standby.deps, store, id, driver, hold);
      throw new CancelledSinceError(id, (await store.get(id)).run.state);
    }
    if (!asked) return await getRun(deps, id);
    const finished = new Set(steps.filter(({ counts }) => counts.succeeded > 0).map(({ step }) => step));
    const changed = changedSteps(run.spec, pipeline).filter((step) => finished.has(step));
    if (changed.length > 0) onChanged?.(changed);
    for (const { step, words } of editsOf(run.spec, pipeline)) deps.onEdited?.(sentenceOf({ step, message: words }));
    const hold = await whileHeld(waiting, () => takeUnlessEnded(store, id, driver));
    if (hold !== null) await drive(standby.deps, store, id, driver, hold);
    return await getRun(deps, id);
  } finally {
    await standby.close();
  }
}

/**
 * Repeats a run from one of its steps on, by the code of now, as a run of its own: what does not wait for that step and ended well is
 * taken from the run before. `params`: those that are other than in that one. Throws as `runPipeline`, and HR_INVALID for the step.
 */
export async function rerunFrom(
  deps: OrchestratorDeps,
  id: string,
  request: {
    readonly from: string;
    readonly params?: Readonly<Record<string, unknown>>;
    readonly onStart?: (id: string, kept: readonly string[]) => void;
  },
): Promise<RunResult> {
  const store = await openRunStore(deps.database, deps.clock);
  const { run: before, steps } = await store.get(id);
  const pipeline = requirePipeline(deps, before.pipeline);
  const graph = graphOf(pipeline);
  const kept = keptSteps(graph, steps, request.from);
  const params = paramsOfNow(pipeline, before.params, request.params);
  await storeCode(deps.objects, deps.definitions, pipeline);
  const { id: made } = await store.create({
    pipeline,
    params,
    manifestHash: deps.definitions.hash,
    parent: id,
    keepGoing: before.keepGoing,
    state: 'running',
    steps: firstRows(graph).filter(({ step }) => !kept.includes(step)),
    copies: { run: id, steps: kept },
  });
  request.onStart?.(made, kept);
  const driver = newOwner();
  await drive(deps, store, made, driver, await store.take(made, driver));
  return await getRun(deps, made);
}

/** Null where a scheduler took what was asked for before, and has brought it to its end. */
async function takeUnlessEnded(store: RunStore, id: string, driver: string): Promise<Hold | null> {
  try {
    return await store.take(id, driver);
  } catch (error) {
    if (error instanceof RunHeldError || !(error instanceof HeadraceError) || error.code !== 'HR_CONFLICT') throw error;
    return null;
  }
}

/** What is ready to drive a run on this machine by the time that it is free. */
interface Standby {
  readonly deps: OrchestratorDeps;
  /** Starts what takes a while, once. */
  prepare(): void;
  close(): Promise<void>;
}

function createStandby(deps: OrchestratorDeps, driver: string): Standby {
  let local: Executor | undefined;
  return {
    deps: {
      ...deps,
      openExecutor: (of) => (of === driver ? (local ??= deps.openExecutor(of)) : deps.openExecutor(of)),
    },
    prepare() {
      if (local !== undefined) return;
      local = deps.openExecutor(driver);
      local.start?.();
    },
    // Of one that has driven a run, once more.
    close: async () => await local?.close(),
  };
}

/** Steps that both pipelines have, and that do something else by now. */
function changedSteps(before: PipelineSpec, now: PipelineSpec): readonly string[] {
  const earlier = new Map(before.steps.map((step) => [step.name, stringifyJson(step.action)]));
  return now.steps
    .filter(({ name, action }) => earlier.has(name) && earlier.get(name) !== stringifyJson(action))
    .map(({ name }) => name);
}

/** Throws HR_UNKNOWN_PIPELINE, HR_INVALID for one that this version can't run. */
export function requirePipeline(deps: OrchestratorDeps, name: string): PipelineSpec {
  const pipeline = findPipeline(deps.definitions, name);
  checkRunnable(pipeline, deps);
  checkPools(pipeline, deps.pools ?? {});
  return pipeline;
}
