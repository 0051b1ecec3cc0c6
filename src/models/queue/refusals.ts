// What a work is told that a model does not run: what it would take against what is left, and what to do about it.

import { cancelled, deadlinePassed, HeadraceError } from '../../core/index.ts';
import type { RefusalReason } from '../model-runtime.ts';
import type { QueuedJob } from './queued-job.ts';

export type DropReason = 'deadline' | 'cancelled' | 'full';

/** Rows of all works, as they are when one is refused. */
export interface Load {
  readonly waiting: number;
  readonly running: number;
}

/** How the sentence of HR_INFERENCE_FAILED begins where the runtime refused the rows, and did not end with them. */
export const RUNTIME_FAILED = "the model's runtime failed";

const WAITING = 'it waited for the model';

/** One that was not let in. */
export function refusalError(reason: RefusalReason, job: QueuedJob, load: Load): HeadraceError {
  const { count } = job.work;
  if (reason === 'full') return overloaded(`${rowsWait(load.waiting)} for this model already. Retry after a second.`);
  const short = shortfallOf(job);
  if (short === undefined || reason !== 'hopeless') return late(job, 'the model had yet to run', '');
  const others = [
    ...(load.waiting > 0 ? [rowsWait(load.waiting)] : []),
    ...(load.running > 0 ? [load.running === 1 ? '1 row runs' : `${load.running} rows run`] : []),
  ].join(', ');
  const busy = others === '' ? '' : ` (${others})`;
  if (job.shortfall?.takesMs === Infinity)
    return overloaded(
      `the model has no thread now: it waits for runs that do not return before it starts another${busy}. Retry after a second.`,
    );
  const otherwise = count > 1 ? ', raise X-Request-Timeout-Ms, or send fewer rows' : ', or raise X-Request-Timeout-Ms';
  return overloaded(`the model would take ${short.takes}${busy}, and ${short.left}. Retry after a second${otherwise}.`);
}

/** One that waited and leaves without a run. */
export function dropError(reason: DropReason, job: QueuedJob, waiting: number): HeadraceError {
  if (reason === 'cancelled') return cancelled(WAITING);
  if (reason === 'deadline') return late(job, WAITING, ', after it waited');
  return overloaded(
    `${rowsWait(waiting)} for this model already, with nearer deadlines or a higher priority. Retry after a second.`,
  );
}

/** One whose run is not waited for any more. */
export function expired({ work }: QueuedJob): HeadraceError {
  return deadlinePassed('the model ran', work.count);
}

function late(job: QueuedJob, stage: string, when: string): HeadraceError {
  const short = shortfallOf(job);
  const { count } = job.work;
  if (short === undefined) return deadlinePassed(stage, count);
  const fewer = count > 1 ? ', or send fewer rows' : '';
  return new HeadraceError(
    'HR_DEADLINE',
    `the model's run would take ${short.takes}, and ${short.left}${when}. Raise X-Request-Timeout-Ms${fewer}.`,
  );
}

// Rounded apart, so that the one never reads as less than the other.
function shortfallOf({ shortfall }: QueuedJob): { readonly takes: string; readonly left: string } | undefined {
  if (shortfall === undefined) return undefined;
  const left = Math.max(0, roundMs(shortfall.leftMs, Math.floor));
  return {
    takes: `about ${roundMs(shortfall.takesMs, Math.ceil)} ms`,
    left: `${left} ms are left until the deadline`,
  };
}

function roundMs(ms: number, round: (value: number) => number): number {
  return ms < 10 ? round(10 * ms) / 10 : round(ms);
}

function rowsWait(rows: number): string {
  return rows === 1 ? '1 row waits' : `${rows} rows wait`;
}

function overloaded(sentence: string): HeadraceError {
  return new HeadraceError('HR_OVERLOADED', sentence);
}
