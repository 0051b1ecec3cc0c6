// Starting, resuming and cancelling runs, and looking at them.

import { didYouMeanOf, HeadraceError, type Micros, parseJson } from '../core/index.ts';
import type { PipelineSpec } from '../definitions/index.ts';
import { driveRun } from './drive-run.ts';
import { isLeaseLive, newOwner } from './lease.ts';
import type { OrchestratorDeps, RunsDeps } from './orchestrator-deps.ts';
import { insertRun, migrateRuns, newRunId, requestCancel, requireRun, takeOver, tables } from './run-rows.ts';
import { resolveParams } from './run-params.ts';
import { stepResult } from './step-result.ts';
import type { RunRow, RunState, StepState, TaskState } from './run-tables.ts';

export interface RunSummary {
  readonly id: string;
  readonly pipeline: string;
  /** `interrupted`: unfinished, and its process is gone; it can be resumed. */
  readonly state: RunState | 'interrupted';
  readonly params: Readonly<Record<string, unknown>>;
  readonly createdAtMicros: Micros;
  readonly finishedAtMicros: Micros | null;
  readonly error: string | null;
}

export interface RunResult extends RunSummary {
  readonly steps: readonly RunStep[];
}

export interface RunStep {
  readonly name: string;
  readonly state: StepState;
  /** Null until it opens. */
  readonly children: number | null;
  readonly finished: number;
  /** Once it has succeeded: what it gave. */
  readonly result?: unknown;
  /** Those that were ever claimed, in the order of the children. */
  readonly tasks: readonly RunTask[];
}

export interface RunTask {
  readonly index: number;
  readonly state: TaskState;
  readonly attempt: number;
  readonly startedAtMicros: Micros;
  readonly finishedAtMicros: Micros | null;
  readonly output: string | null;
  readonly error: string | null;
}

/**
 * Runs a pipeline to its end. Throws HR_UNKNOWN_PIPELINE, HR_INVALID for its parameters, HR_STEP_FAILED.
 * What finished before a failure or a kill stays, for `resumeRun`.
 */
export async function runPipeline(
  deps: OrchestratorDeps,
  request: {
    readonly pipeline: string;
    readonly params?: Readonly<Record<string, unknown>>;
    readonly onStart?: (id: string) => void;
  },
): Promise<RunResult> {
  const pipeline = requirePipeline(deps, request.pipeline);
  const params = resolveParams(pipeline, request.params ?? {});
  await migrateRuns(deps.database);
  const now = deps.clock.nowMicros();
  const [id, owner] = [newRunId(now), newOwner()];
  await insertRun(deps.database, { id, owner, now, manifestHash: deps.definitions.hash }, pipeline, params);
  request.onStart?.(id);
  await driveRun(deps, id, owner);
  return await getRun(deps, id);
}

/** Goes on with a run that failed, was cancelled or lost its process; finished tasks are not run again. */
export async function resumeRun(deps: OrchestratorDeps, id: string): Promise<RunResult> {
  await migrateRuns(deps.database);
  const owner = newOwner();
  if (await takeOver(deps.database, id, owner, deps.clock.nowMicros())) await driveRun(deps, id, owner);
  return await getRun(deps, id);
}

/** Asks a run to stop; false when it had ended before. Who drives it kills what runs within seconds. */
export async function cancelRun(deps: RunsDeps, id: string): Promise<boolean> {
  await migrateRuns(deps.database);
  return await requestCancel(deps.database, id, deps.clock.nowMicros());
}

/** The newest runs first. */
export async function listRuns(
  deps: RunsDeps,
  options: { readonly pipeline?: string; readonly limit?: number } = {},
): Promise<readonly RunSummary[]> {
  let query = tables(await migrateRuns(deps.database))
    .selectFrom('orchestrator_runs')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc');
  if (options.pipeline !== undefined) query = query.where('pipeline', '=', options.pipeline);
  const rows = await query.limit(options.limit ?? 100).execute();
  return rows.map((row) => summaryOf(row, deps.clock.nowMicros()));
}

/** A run with its steps, tasks and results. Throws HR_UNKNOWN_RUN. */
export async function getRun(deps: RunsDeps, id: string): Promise<RunResult> {
  const database = await migrateRuns(deps.database);
  const db = tables(database);
  const run = await requireRun(db, id);
  // Written by insertRun from a valid manifest.
  const pipeline = parseJson(run.spec) as unknown as PipelineSpec;
  const steps = await db
    .selectFrom('orchestrator_steps')
    .selectAll()
    .where('run_id', '=', id)
    .orderBy('position')
    .execute();
  const tasks = await db
    .selectFrom('orchestrator_tasks')
    .selectAll()
    .where('run_id', '=', id)
    .orderBy('item_index')
    .execute();
  const shown: RunStep[] = [];
  for (const step of steps) {
    const spec = pipeline.steps.find((candidate) => candidate.name === step.step);
    const result =
      step.state === 'succeeded' && spec !== undefined
        ? { result: await stepResult({ ...deps, database }, id, spec) }
        : {};
    shown.push({
      name: step.step,
      state: step.state,
      children: step.children,
      finished: step.finished,
      ...result,
      tasks: tasks
        .filter((task) => task.step === step.step)
        .map((task) => ({
          index: task.item_index,
          state: task.state,
          attempt: task.attempt,
          startedAtMicros: task.started_at,
          finishedAtMicros: task.finished_at,
          output: task.output,
          error: task.error,
        })),
    });
  }
  return { ...summaryOf(run, deps.clock.nowMicros()), steps: shown };
}

function summaryOf(run: RunRow, now: Micros): RunSummary {
  const isDead = run.state === 'running' && !isLeaseLive(run.lease_owner, run.lease_until, now);
  return {
    id: run.id,
    pipeline: run.pipeline,
    state: isDead ? 'interrupted' : run.state,
    // Written by insertRun.
    params: parseJson(run.params) as Record<string, unknown>,
    createdAtMicros: run.created_at,
    finishedAtMicros: run.finished_at,
    error: run.error,
  };
}

function requirePipeline(deps: OrchestratorDeps, name: string): PipelineSpec {
  const pipelines = deps.definitions.manifest.pipelines;
  const pipeline = Object.hasOwn(pipelines, name) ? pipelines[name] : undefined;
  if (pipeline !== undefined) return pipeline;
  const known = Object.keys(pipelines);
  throw new HeadraceError(
    'HR_UNKNOWN_PIPELINE',
    `there is no pipeline "${name}".${didYouMeanOf('pipelines', name, known)}`,
  );
}
