// Whose mistake it was that a request was not answered, by the error's code.

import { type ErrorCode, ERRORS } from '../../core/index.ts';

/**
 * `refused`: the client's request was wrong, or it went away (4xx). `rejected`: there was too much to do (429). `failed`: the
 * server, its stores, its models or its definitions (5xx; 422, since what the client sent was right).
 */
export type FailureKind = 'refused' | 'rejected' | 'failed';

export const FAILURE_KINDS = ['refused', 'rejected', 'failed'] as const satisfies readonly FailureKind[];

export function failureKind(code: ErrorCode): FailureKind {
  const { status } = ERRORS[code];
  if (status === 429) return 'rejected';
  return status >= 500 || status === 422 ? 'failed' : 'refused';
}
