// One claimed task from start to commit: its outcome becomes a row, its failure a retry or the end of the run.

import type { StepSpec } from '../definitions/index.ts';
import type { Drive } from './drive.ts';
import type { TaskReport } from './orchestrator-deps.ts';
import { logTail } from './run-logs.ts';
import { runTask } from './run-task.ts';
import { type Claim, commitTask, failTask, stopTask } from './task-rows.ts';

// A timer of more than 31 bits of milliseconds (24.8 days) fires at once: a step that may take longer has none.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Resolves when the attempt's end is written, or is no longer this attempt's to write. */
export async function attemptTask(drive: Drive, spec: StepSpec, claim: Claim): Promise<void> {
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
  const timeoutMs = Math.ceil((spec.timeoutMicros ?? Infinity) / 1000);
  const timeout = timeoutMs > LONGEST_TIMER_MS ? undefined : AbortSignal.timeout(timeoutMs);
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
