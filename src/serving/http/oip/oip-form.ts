// How the protocol tells what went wrong: one text. Its clients know 400, 404 and 503; what is between our own catalogue and
// those is told as the nearest.

import { ERRORS, type ErrorCode } from '../../../core/index.ts';
import type { ProblemForm } from '../problem.ts';

/** Without a charset: KServe's client looks for this very text before it shows an error. */
export const OIP_JSON = 'application/json';

export const OIP_FORM: ProblemForm = {
  type: OIP_JSON,
  of: ({ detail }) => ({ error: detail }),
  statusOf,
};

export function statusOf(code: ErrorCode): number {
  const { status } = ERRORS[code];
  if (status === 422 || status === 415 || status === 409) return 400;
  return status === 429 ? 503 : status;
}
