// Whose mistake it was that a request was not answered, by the error's code.

import { type ErrorCode, ERRORS } from '../../core/index.ts';

/**
 * What metrics, readiness, spans and the log go by. `refused`: the client's request was wrong (4xx) or for what this version does
 * not do (501), or it went away. `rejected`: there was too much to do (429). `failed`: the server, its stores, its models or its
 * definitions (other 5xx, and 422 where what the client sent was right).
 */
export type FailureKind = 'refused' | 'rejected' | 'failed';

export const FAILURE_KINDS = ['refused', 'rejected', 'failed'] as const satisfies readonly FailureKind[];

type Unprocessable = { [C in ErrorCode]: (typeof ERRORS)[C]['status'] extends 422 ? C : never }[ErrorCode];

/** Of each 422: it says that something in the way of the request was not as it should be, and not whose that is. */
const UNPROCESSABLE: Readonly<Record<Unprocessable, FailureKind>> = {
  HR_IDEMPOTENCY: 'refused',
  // What is pushed is the client's; a materialize that it stops is no request.
  HR_EXPECTATION: 'refused',
  HR_ARTIFACT_UNREADABLE: 'failed',
  HR_AUDIT_FAILED: 'failed',
  HR_CODE_ALTERED: 'failed',
  // Each number was right by itself: the definition should sum them as float64.
  HR_INTEGER_OVERFLOW: 'failed',
  HR_STREAM_SCHEMA: 'failed',
  HR_LOG_DAMAGED: 'failed',
  HR_MODEL_SIGNATURE: 'failed',
  HR_MODEL_UNREADABLE: 'failed',
  // Of a key that is known: it is too old, has no value, or can't be read, and the definition lacks a default.
  HR_NULL_FEATURE: 'failed',
  HR_PYTHON_UNAVAILABLE: 'failed',
  HR_QUERY: 'failed',
  HR_QUERY_LEAKS: 'failed',
  HR_SOURCE_UNREADABLE: 'failed',
  HR_STEP_FAILED: 'failed',
  HR_TRANSFORM_FAILED: 'failed',
  HR_TYPESCRIPT_UNAVAILABLE: 'failed',
  // Which keys are asked for is the client's choice: one that asks for keys that nobody knows must not make the endpoint look
  // failed to all. A store that lost all keys shows in `headrace_view_version_complete`.
  HR_UNKNOWN_ENTITY: 'refused',
};

export function failureKind(code: ErrorCode): FailureKind {
  const { status } = ERRORS[code];
  if (status === 429) return 'rejected';
  if (code === 'HR_UNSUPPORTED') return 'refused';
  if (status === 422) return UNPROCESSABLE[code as Unprocessable];
  return status >= 500 ? 'failed' : 'refused';
}
