// Errors of pushes and pipelines, and what is left.

import { define } from './catalogue-entry.ts';

export const WORK_ERRORS = define({
  HR_IDEMPOTENCY: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Idempotency key reused',
    help: 'The same Idempotency-Key came with another body.',
  },
  HR_PUSH_UNDER_WAY: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Push under way',
    help: 'The first push with this Idempotency-Key is not finished. Send the same again in a moment.',
  },
  HR_PUSH_LOST: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Nobody can tell what became of the push',
    help: 'No answer is kept of the first push with this Idempotency-Key, and its writer was given up (`headrace log forget`). Look whether its rows are there; if not, push them with a new key.',
  },
  HR_UNKNOWN_JOB: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown job',
    help: 'No job of a training set has that id: jobs are kept for a day, and of the finished ones the last 1,000. The sets that they made stay; `GET /v1/training-sets` lists them.',
  },
  HR_JOB_LOST: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'The job’s process ended',
    help: 'The process that made a training set, or a report of an experiment, ended before it was done: it was killed, mostly because memory ran out (`offline.memory`, `server.reportMemory`), or its server ended. Nothing of it is left; ask for it again.',
  },
  HR_JOB_UNDER_WAY: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'The first request is under way',
    help: 'The spine of the first request with this Idempotency-Key is still arriving. Send the same again in a moment.',
  },
  HR_STEP_FAILED: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'A step failed',
    help: 'A pipeline’s step failed after its retries. `headrace runs logs ID` shows why; `runs resume ID` goes on.',
  },
  HR_PYTHON_UNAVAILABLE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Python unavailable',
    help: 'Python 3 or a package of a step’s requirements cannot be had here.',
  },
  HR_TYPESCRIPT_UNAVAILABLE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'TypeScript unavailable',
    help: 'The compiler that checks the types of a feature repository can’t be started here. Install Headrace again, with its optional dependencies.',
  },
  HR_UNSUPPORTED: {
    status: 501,
    grpc: 'UNIMPLEMENTED',
    title: 'Not supported',
    help: 'This build cannot do that yet; the sentence says what can be done instead.',
  },
  HR_INTERNAL: {
    status: 500,
    grpc: 'INTERNAL',
    title: 'Internal error',
    help: 'A bug in Headrace. The log has the details under the request id.',
  },
});
