// Drives a run to its end: opens steps whose needs are there, claims tasks while there is room, commits what they
// give. All that matters is in the rows, so any process can go on from where another was killed.

import { HeadraceError, parseJson, toHeadraceError } from '../core/index.ts';
import type { PipelineSpec, StepSpec } from '../definitions/index.ts';
import { roomFor } from './admission.ts';
import { attemptTask } from './attempt-task.ts';
import { type Drive, needed, stepSpec, stopEverything } from './drive.ts';
import { foreachCount } from './foreach.ts';
import { startHeartbeat } from './heartbeat.ts';
import type { OrchestratorDeps } from './orchestrator-deps.ts';
import { endRun, releaseRun, requireRun, tables } from './run-rows.ts';
import type { StepRow } from './run-tables.ts';
import { stepResult } from './step-result.ts';
import { claimTasks, nextRetryAt, openStep } from './task-rows.ts';

/**
 * Runs the rest of a run that `owner` holds. Resolves when it has succeeded or was cancelled.
 * Throws HR_STEP_FAILED with the end of the step's log; HR_CONFLICT when the run was taken over or let go.
 */
export async function driveRun(deps: OrchestratorDeps, runId: string, owner: string): Promise<void> {
  const row = await requireRun(tables(deps.database), runId);
  const drive: Drive = {
    deps,
    runId,
    owner,
    // Written by insertRun from a valid manifest.
    pipeline: parseJson(row.spec) as unknown as PipelineSpec,
    params: parseJson(row.params) as Record<string, unknown>,
    results: new Map(),
    running: new Map(),
    stopAll: new AbortController(),
    ended: 0,
  };
  const stopHeartbeat = startHeartbeat(drive);
  const onAbort = (): void => stopEverything(drive, 'aborted');
  deps.signal?.addEventListener('abort', onAbort, { once: true });
  if (deps.signal?.aborted === true) onAbort();
  deps.progress.start(`run ${drive.pipeline.name}`, drive.pipeline.steps.length, 'steps');
  try {
    await runSteps(drive);
  } catch (error) {
    // Not a step's failure: what runs is stopped and the run let go, if that can still be written.
    stopEverything(drive, 'aborted');
    await Promise.all(drive.running.keys());
    await releaseRun(deps.database, runId, owner, deps.clock.nowMicros()).catch(() => {});
    throw error;
  } finally {
    await Promise.all(drive.running.keys());
    await stopHeartbeat();
    deps.signal?.removeEventListener('abort', onAbort);
  }
  await finish(drive);
}

async function runSteps(drive: Drive): Promise<void> {
  const { deps } = drive;
  for (;;) {
    if (drive.crash !== undefined) throw drive.crash;
    if (drive.stop !== undefined) return;
    const endedBefore = drive.ended;
    const steps = await stepRows(drive);
    if (drive.failure === undefined) {
      if (await openReady(drive, steps)) continue;
      // A `foreach` that could not be opened is a failure too.
      if (!hasFailed(drive)) await claimWhileRoom(drive, steps);
    }
    // What ended meanwhile may have changed what was read above.
    if (drive.ended !== endedBefore) continue;
    deps.progress.advance(steps.filter((step) => step.state === 'succeeded').length);
    if (drive.running.size === 0) {
      if (drive.failure !== undefined || steps.every((step) => step.state === 'succeeded')) return;
      const failed = steps.find((step) => step.state === 'failed');
      if (failed !== undefined) drive.failure = `step "${failed.step}" failed`;
    }
    if (drive.failure === undefined || drive.running.size > 0) await untilSomethingHappens(drive, endedBefore);
  }
}

function hasFailed(drive: Drive): boolean {
  return drive.failure !== undefined;
}

/** Until a task ends, one may be tried again, or all is stopped. */
async function untilSomethingHappens(drive: Drive, endedBefore: number): Promise<void> {
  const { deps, runId, stopAll } = drive;
  const retryAt = drive.failure === undefined ? await nextRetryAt(deps.database, runId) : undefined;
  const waitMs = retryAt === undefined ? 5000 : Math.min(5000, Math.max(10, (retryAt - deps.clock.nowMicros()) / 1000));
  if (drive.ended !== endedBefore) return;
  await new Promise<void>((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      stopAll.signal.removeEventListener('abort', wake);
      drive.onEnd = undefined;
      resolve();
    };
    const timer = setTimeout(wake, waitMs);
    stopAll.signal.addEventListener('abort', wake);
    drive.onEnd = wake;
    if (stopAll.signal.aborted) wake();
  });
}

/** Opens every waiting step whose needs have succeeded; whether there was one. */
async function openReady(drive: Drive, steps: readonly StepRow[]): Promise<boolean> {
  const { deps, runId, pipeline } = drive;
  const succeeded = new Set(steps.filter((step) => step.state === 'succeeded').map((step) => step.step));
  let hasOpened = false;
  for (const row of steps) {
    const spec = stepSpec(pipeline, row.step);
    const before = needed(spec);
    if (row.state !== 'waiting' || !before.every((need) => succeeded.has(need))) continue;
    await loadResults(drive, before);
    const children = countChildren(drive, spec);
    if (children === undefined) return false;
    await openStep(deps.database, { runId, step: row.step, children, now: deps.clock.nowMicros() });
    hasOpened = true;
  }
  return hasOpened;
}

function countChildren(drive: Drive, spec: StepSpec): number | undefined {
  if (spec.foreach === undefined) return 1;
  try {
    return foreachCount(spec.foreach, drive.results);
  } catch (error) {
    drive.failure = `step "${spec.name}": ${toHeadraceError(error).message}`;
    return undefined;
  }
}

async function claimWhileRoom(drive: Drive, steps: readonly StepRow[]): Promise<void> {
  const { deps, runId, owner, pipeline } = drive;
  for (const row of steps) {
    const spec = stepSpec(pipeline, row.step);
    const limit = row.state === 'open' ? roomFor(drive, spec) : 0;
    if (limit === 0) continue;
    await loadResults(drive, needed(spec));
    const claims = await claimTasks(deps.database, {
      runId,
      step: row.step,
      owner,
      now: deps.clock.nowMicros(),
      limit,
    });
    for (const claim of claims) {
      const work = attemptTask(drive, spec, claim)
        .catch((error: unknown) => {
          drive.crash ??= error;
        })
        .finally(() => {
          drive.ended += 1;
          drive.running.delete(work);
          drive.onEnd?.();
        });
      drive.running.set(work, spec);
    }
  }
}

async function finish(drive: Drive): Promise<void> {
  const { deps, runId, owner, failure, stop } = drive;
  const now = deps.clock.nowMicros();
  const resume = `\`headrace runs resume ${runId}\` goes on from here`;
  if (failure !== undefined) {
    await endRun(deps.database, { id: runId, owner, now, state: 'failed', error: failure });
    deps.progress.done('failed');
    throw new HeadraceError('HR_STEP_FAILED', `run ${runId}: ${failure}\n${resume}`);
  }
  if (stop === 'lost')
    throw new HeadraceError('HR_CONFLICT', `run ${runId} was taken over by another process, or ended by it`);
  if (stop === 'cancelled') await endRun(deps.database, { id: runId, owner, now, state: 'cancelled' });
  if (stop === 'aborted') {
    await releaseRun(deps.database, runId, owner, now);
    throw new HeadraceError('HR_CONFLICT', `run ${runId} was interrupted; ${resume}`);
  }
  if (stop !== 'cancelled') await endRun(deps.database, { id: runId, owner, now, state: 'succeeded' });
  deps.progress.done(stop === 'cancelled' ? 'cancelled' : 'succeeded');
}

async function stepRows(drive: Drive): Promise<readonly StepRow[]> {
  return await tables(drive.deps.database)
    .selectFrom('orchestrator_steps')
    .selectAll()
    .where('run_id', '=', drive.runId)
    .orderBy('position')
    .execute();
}

async function loadResults(drive: Drive, steps: readonly string[]): Promise<void> {
  for (const step of steps) {
    if (!drive.results.has(step))
      drive.results.set(step, await stepResult(drive.deps, drive.runId, stepSpec(drive.pipeline, step)));
  }
}
