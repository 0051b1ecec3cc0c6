// An error of the engine's own as the reason of a failed attempt.

import { type ErrorCode, toHeadraceError } from '../../core/index.ts';
import { failure, type TaskFailure } from './outcome.ts';

/** A sentence, with the error's code where that tells more than that a step failed. */
export function reasonOf(error: unknown): string {
  const { code, message } = toHeadraceError(error);
  return code === 'HR_INTERNAL' || code === 'HR_STEP_FAILED' ? message : `${code}: ${message}`;
}

/** The next try would find the same: the network and the machine have no part in these. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'HR_STEP_FAILED',
  'HR_ARTIFACT_UNREADABLE',
  'HR_CODE_MISSING',
  'HR_INVALID',
]);

/** Of an attempt that did not come to its own code. */
export function failureOf(error: unknown): TaskFailure {
  return failure(reasonOf(error), { isFinal: FINAL.has(toHeadraceError(error).code) });
}
