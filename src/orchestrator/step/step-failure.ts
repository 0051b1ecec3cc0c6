// An error of the engine's own as the reason of a failed attempt.

import { toHeadraceError } from '../../core/index.ts';

/** A sentence, with the error's code where that tells more than that a step failed. */
export function reasonOf(error: unknown): string {
  const { code, message } = toHeadraceError(error);
  return code === 'HR_INTERNAL' || code === 'HR_STEP_FAILED' ? message : `${code}: ${message}`;
}
