// Drives a run to its end: opens steps whose needs are there, claims tasks while there is room, commits what they
// give. All that matters is in the rows, so any process can go on from where another was killed.

import { availableParallelism, totalmem } from 'node:os';
import { HeadraceError, parseJson, toHeadraceError } from '../core/index.ts';
import type { PipelineSpec, StepSpec } from '../definitions/index.ts';
import { foreachCount } from './foreach.ts';
import { HEARTBEAT_MS } from './lease.ts';
import type { OrchestratorDeps, TaskReport } from './orchestrator-deps.ts';
import { memoryBytes } from './resources.ts';
import { logTail } from './run-logs.ts';
import { endRun, releaseRun, renewLease, requireRun, tables } from './run-rows.ts';
import type { StepRow } from './run-tables.ts';
import { readOutput, runTask } from './run-task.ts';
import {
  type Claim,
  claimTasks,
  commitTask,
  failTask,
  nextRetryAt,
  openStep,
  stepOutputs,
  stopTask,
} from './task-rows.ts';

/** Why everything that runs is being stopped. */
type Stop = 'cancelled' | 'lost' | 'aborted';

interface Drive {
  readonly deps: OrchestratorDeps;
  readonly runId: string;
  readonly owner: string;
  readonly pipeline: PipelineSpec;
  readonly params: Readonly<Record<string, unknown>>;
  readonly results: Map<string, unknown>;
  readonly running: Map<Promise<void>, StepSpec>;
  readonly stopAll: AbortController;
  /** The first failure for good; nothing new is claimed after it. */
  failure?: string;
  stop?: Stop;
  /** Something that is no step's fault, such as a database that is gone. */
  crash?: unknown;
}

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
    const steps = await stepRows(drive);
    if (drive.failure === undefined) {
      if (await openReady(drive, steps)) continue;
      await claimWhileRoom(drive, steps);
    }
    deps.progress.advance(steps.filter((step) => step.state === 'succeeded').length);
    if (drive.running.size === 0) {
      if (drive.failure !== undefined || steps.every((step) => step.state === 'succeeded')) return;
      const failed = steps.find((step) => step.state === 'failed');
      if (failed !== undefined) drive.failure = `step "${failed.step}" failed`;
    }
    if (drive.failure === undefined || drive.running.size > 0) await untilSomethingHappens(drive);
  }
}

/** Until a task ends, one may be tried again, or all is stopped. */
async function untilSomethingHappens(drive: Drive): Promise<void> {
  const { deps, runId, stopAll } = drive;
  const retryAt = drive.failure === undefined ? await nextRetryAt(deps.database, runId) : undefined;
  const waitMs = retryAt === undefined ? 5000 : Math.min(5000, Math.max(10, (retryAt - deps.clock.nowMicros()) / 1000));
  await new Promise<void>((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      stopAll.signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, waitMs);
    stopAll.signal.addEventListener('abort', wake);
    if (stopAll.signal.aborted) wake();
    for (const work of drive.running.keys()) void work.then(wake);
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
      const work = attempt(drive, spec, claim)
        .catch((error: unknown) => {
          drive.crash ??= error;
        })
        .finally(() => drive.running.delete(work));
      drive.running.set(work, spec);
    }
  }
}

/** How many tasks of a step fit beside what runs; one that asks for more than there is runs alone. */
function roomFor(drive: Drive, spec: StepSpec): number {
  const running = [...drive.running.values()];
  const used = (of: (step: StepSpec) => number): number => running.reduce((sum, step) => sum + of(step), 0);
  const fits = (of: (step: StepSpec) => number, all: number): number =>
    of(spec) === 0 ? Number.MAX_SAFE_INTEGER : Math.floor((all - used(of)) / of(spec));
  const byCpu = fits(cpusOf, drive.deps.cpus ?? availableParallelism());
  const byMemory = fits(memoryOf, drive.deps.memoryBytes ?? totalmem());
  return Math.max(Math.min(byCpu, byMemory, 100), running.length === 0 ? 1 : 0);
}

const cpusOf = (step: StepSpec): number => step.resources.cpu ?? 1;
const memoryOf = (step: StepSpec): number =>
  step.resources.memory === undefined ? 0 : memoryBytes(step.resources.memory);

async function attempt(drive: Drive, spec: StepSpec, claim: Claim): Promise<void> {
  const { deps } = drive;
  const started = deps.clock.nowMicros();
  const report = (event: TaskReport['event'], reason?: string): void => {
    const seconds = event === 'started' ? undefined : (deps.clock.nowMicros() - started) / 1e6;
    const { runId, step, index, attempt } = claim;
    const told = { runId, step, index, attempt, event, isChild: spec.foreach !== undefined };
    deps.onTask?.({
      ...told,
      ...(seconds === undefined ? {} : { seconds }),
      ...(reason === undefined ? {} : { reason }),
    });
    deps.logger.debug({ run: runId, step, index, attempt, seconds, reason }, `task ${event}`);
  };
  report('started');
  const timeout = spec.timeoutMicros === null ? undefined : AbortSignal.timeout(Math.ceil(spec.timeoutMicros / 1000));
  const signal = timeout === undefined ? drive.stopAll.signal : AbortSignal.any([drive.stopAll.signal, timeout]);
  const outcome = await runTask(deps, drive, spec, claim, signal);
  const now = deps.clock.nowMicros();
  if (outcome.ok) {
    if (await commitTask(deps.database, claim, outcome.output, now)) report('succeeded');
    return;
  }
  if (drive.stop !== undefined) {
    await stopTask(deps.database, claim, drive.stop === 'cancelled' ? 'cancelled' : 'retry', now);
    report('stopped');
    return;
  }
  const hasTimedOut = timeout?.aborted === true;
  const reason = hasTimedOut ? `timed out after ${(spec.timeoutMicros ?? 0) / 1e6} s` : outcome.reason;
  const failures = claim.failures + 1;
  const mayRetry = failures <= spec.retry && outcome.isFinal !== true;
  const delayMs = (deps.retryDelayMs ?? defaultRetryDelayMs)(failures);
  if (!(await failTask(deps.database, claim, { error: reason, retryAt: mayRetry ? now + delayMs * 1000 : null, now })))
    return;
  report(mayRetry ? 'will retry' : 'failed', reason);
  if (!mayRetry) drive.failure ??= await failureSentence(drive, spec, claim, reason, failures);
}

function defaultRetryDelayMs(failures: number): number {
  return Math.min(60_000, 1000 * 2 ** (failures - 1));
}

async function failureSentence(
  drive: Drive,
  spec: StepSpec,
  claim: Claim,
  reason: string,
  failures: number,
): Promise<string> {
  const place = spec.foreach === undefined ? `"${spec.name}"` : `"${spec.name}"[${claim.index}]`;
  const tries = failures === 1 ? '' : ` after ${failures} attempts`;
  const tail = await logTail(drive.deps, claim, 15);
  return `step ${place} failed${tries}: ${reason}${tail === '' ? '' : `\n${tail}`}`;
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

function stopEverything(drive: Drive, why: Stop): void {
  drive.stop ??= why;
  drive.stopAll.abort();
}

// Beside the tasks, never inside them: a step that hangs keeps its lease, a process that died loses it.
function startHeartbeat(drive: Drive): () => Promise<void> {
  const { deps, runId, owner } = drive;
  let beat: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    beat = renewLease(deps.database, runId, owner, deps.clock.nowMicros()).then(
      (state) => {
        if (state !== 'held') stopEverything(drive, state);
      },
      // A database that is away for a moment is no reason to stop: the lease is longer than that.
      (error: unknown) => deps.logger.warn({ run: runId, error: String(error) }, 'could not renew the run’s lease'),
    );
  }, HEARTBEAT_MS);
  return async () => {
    clearInterval(timer);
    await beat;
  };
}

async function stepRows(drive: Drive): Promise<readonly StepRow[]> {
  return await tables(drive.deps.database)
    .selectFrom('orchestrator_steps')
    .selectAll()
    .where('run_id', '=', drive.runId)
    .orderBy('position')
    .execute();
}

function needed(spec: StepSpec): readonly string[] {
  const over = spec.foreach?.kind === 'result' ? [spec.foreach.of] : [];
  return [...new Set([...Object.values(spec.needs), ...over])];
}

function stepSpec(pipeline: PipelineSpec, name: string): StepSpec {
  // Step rows were made from this pipeline.
  return pipeline.steps.find((step) => step.name === name) as StepSpec;
}

async function loadResults(drive: Drive, steps: readonly string[]): Promise<void> {
  for (const step of steps) {
    if (!drive.results.has(step))
      drive.results.set(step, await stepResult(drive.deps, drive.runId, stepSpec(drive.pipeline, step)));
  }
}

/** A finished step's result: of a `foreach`, the array of its children's. */
export async function stepResult(
  deps: Pick<OrchestratorDeps, 'database' | 'objects'>,
  runId: string,
  spec: StepSpec,
): Promise<unknown> {
  const outputs = await stepOutputs(deps.database, runId, spec.name);
  const results = await Promise.all(outputs.map((output) => readOutput(deps.objects, output)));
  return spec.foreach === undefined ? results[0] : results;
}
