// Tasks of kinds that Headrace itself knows how to do: they run in the driver's own process, which has what they need.

import { join } from 'node:path';
import { HeadraceError, stringifyJson } from '../../../core/index.ts';
import type { StepAction } from '../../../definitions/index.ts';
import type { ObjectStore } from '../../../storage/index.ts';
import { taskDirectory } from '../../run-logs.ts';
import { openLogFile } from '../../step/log-file.ts';
import { itemOf, type StepOrder } from '../../step/order.ts';
import { failure, type TaskOutcome, timedOut } from '../../step/outcome.ts';
import { storeOutput } from '../../step/result.ts';
import type { Attempt } from '../../step/run-script.ts';
import { reasonOf } from '../../step/step-failure.ts';
import { storeLog } from '../../step/store-log.ts';

export type BuiltInKind = 'trainingSet' | 'registerModel' | 'materialize' | 'evaluate' | 'predict' | 'promote' | 'gc';

export interface BuiltInTaskContext {
  readonly order: StepOrder;
  readonly runId: string;
  readonly step: string;
  readonly index: number;
  readonly params: Readonly<Record<string, unknown>>;
  readonly needs: Readonly<Record<string, unknown>>;
  /** Of the repository; relative paths start here. */
  readonly directory: string;
  /** A line for the run's log. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
  readonly attempt: number;
  readonly item: unknown;
}

/** Each gives the step's result: plain JSON data. It must be safe to repeat: a kill may come before the result is kept. */
export type BuiltInTasks = {
  readonly [Kind in BuiltInKind]?: (
    action: Extract<StepAction, { kind: Kind }>,
    context: BuiltInTaskContext,
  ) => Promise<unknown>;
};

export interface BuiltInHost {
  readonly objects: ObjectStore;
  readonly workDirectory: string;
  readonly repository: string;
}

const KINDS: ReadonlySet<string> = new Set<BuiltInKind>([
  'trainingSet',
  'registerModel',
  'materialize',
  'evaluate',
  'predict',
  'promote',
  'gc',
]);

export function isBuiltIn(action: StepAction): boolean {
  return KINDS.has(action.kind);
}

// A timer of more than 31 bits of milliseconds (24.8 days) fires at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Runs one attempt. One that is stopped is no longer waited for: what it still does is safe to repeat, and counts for nothing. */
export async function runBuiltIn(
  host: BuiltInHost,
  tasks: BuiltInTasks,
  order: StepOrder,
  at: Attempt,
  stop: AbortSignal,
): Promise<TaskOutcome> {
  const place = { runId: order.run, step: order.step, scope: order.scope, index: at.index, attempt: at.attempt };
  const logPath = join(taskDirectory(host.workDirectory, place), 'log.txt');
  const log = openLogFile(logPath);
  const { timeoutMs } = order;
  const timeout = timeoutMs === null || timeoutMs > LONGEST_TIMER_MS ? undefined : AbortSignal.timeout(timeoutMs);
  const signal = timeout === undefined ? stop : AbortSignal.any([stop, timeout]);
  const run = tasks[order.action.kind as BuiltInKind] as
    | ((action: StepAction, context: BuiltInTaskContext) => Promise<unknown>)
    | undefined; // the map's own type pairs each kind with its action
  if (run === undefined) {
    const reason = `nothing here runs a step of kind "${order.action.kind}": it needs the project's configuration; run it where headrace.config.ts is, by this version`;
    return failure(reason, { isFinal: true });
  }
  const context: BuiltInTaskContext = {
    order,
    runId: order.run,
    step: order.step,
    index: at.index,
    attempt: at.attempt,
    item: itemOf(order, at.index) ?? null,
    params: order.params,
    needs: order.needs,
    directory: host.repository,
    log: (line) => log.line(line),
    signal,
  };
  try {
    const result = await unlessStopped(() => run(order.action, context), signal);
    return { kind: 'succeeded', output: await storeOutput(host.objects, stringifyJson(result ?? null)), files: {} };
  } catch (error) {
    if (stop.aborted) return { kind: 'stopped' };
    if (timeout?.aborted === true && timeoutMs !== null) return timedOut(timeoutMs);
    // A view that was removed since does not come back by trying again.
    const isFinal = error instanceof HeadraceError && error.code === 'HR_UNKNOWN_VIEW';
    return failure(reasonOf(error), { isFinal });
  } finally {
    if (log.end()) await storeLog(host.objects, place, logPath);
  }
}

async function unlessStopped<R>(work: () => Promise<R>, signal: AbortSignal): Promise<R> {
  return await new Promise((resolve, reject) => {
    const stop = (): void => reject(new Error('stopped'));
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', stop));
  });
}
