// Errors of models, and of a server that is asked.

import { define } from './catalogue-entry.ts';

export const SERVING_ERRORS = define({
  HR_MODEL_UNREADABLE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Model cannot be loaded',
    help: 'The ONNX file is truncated, corrupt, or uses an operator this runtime lacks.',
  },
  HR_MODEL_SIGNATURE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Model does not fit its features',
    help: 'The inputs or outputs of the ONNX file do not agree with the model’s definition; the sentence shows both.',
  },
  HR_MODEL_NOT_READY: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Model not ready',
    help: 'No version of the model is being served yet. Register one and give it traffic.',
  },
  HR_INFERENCE_FAILED: {
    status: 500,
    grpc: 'INTERNAL',
    title: 'Inference failed',
    help: 'The model’s runtime raised an error on valid input; the log has it.',
  },
  HR_NULL_FEATURE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'A feature is null',
    help: 'The model takes no null there and the feature declares no default. Add `.default(…)`.',
  },
  HR_UNKNOWN_ENTITY: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Nothing is known of the key',
    help: 'The store has nothing under the key that the row came with, and the model takes no null there. Send a key that is known, or add `.default(…)` to the feature.',
  },
  HR_TOO_LARGE: {
    status: 413,
    grpc: 'RESOURCE_EXHAUSTED',
    title: 'Too large',
    help: 'The body, the number of rows, or what the answer takes to make is over the limit.',
  },
  HR_UNSUPPORTED_MEDIA: {
    status: 415,
    grpc: 'INVALID_ARGUMENT',
    title: 'Unsupported media type',
    help: 'Send `Content-Type: application/json`, or what the sentence names.',
  },
  HR_RANGE: {
    status: 416,
    grpc: 'INVALID_ARGUMENT',
    title: 'Range cannot be satisfied',
    help: 'The `Range` that was asked for begins past the end of the file. `Content-Range` tells how long it is.',
  },
  HR_OVERLOADED: {
    status: 429,
    grpc: 'RESOURCE_EXHAUSTED',
    title: 'Too many requests',
    help: 'A queue is full. Retry after the time in `Retry-After`.',
  },
  HR_DEADLINE: {
    status: 504,
    grpc: 'DEADLINE_EXCEEDED',
    title: 'Deadline passed',
    help: 'The request’s deadline (`X-Request-Timeout-Ms`) passed before an answer was ready.',
  },
  HR_CANCELLED: {
    status: 499,
    grpc: 'CANCELLED',
    title: 'Client went away',
    help: 'The client closed its connection before the answer was ready; what was still to be done for it was left.',
  },
  HR_UNAUTHENTICATED: {
    status: 401,
    grpc: 'UNAUTHENTICATED',
    title: 'No valid key',
    help: 'The server takes requests only with an API key or a token: `Authorization: Bearer hr_…`. `headrace keys create` makes one.',
  },
  HR_UNKNOWN_KEY: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown key',
    help: 'No API key of that name or id is in force; `headrace keys list` shows all.',
  },
  HR_FORBIDDEN: {
    status: 403,
    grpc: 'PERMISSION_DENIED',
    title: 'Not allowed',
    help: 'The key or token lacks the role or the endpoint that the request needs, or the request came from another site’s page.',
  },
  HR_MISDIRECTED: {
    status: 421,
    grpc: 'PERMISSION_DENIED',
    title: 'Another host’s request',
    help: 'A server on loopback without keys answers only to the names localhost, 127.0.0.1 and [::1] in `Host`: another name may be a web page that reaches for it.',
  },
  HR_UNKNOWN_ROLLOUT: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown rollout',
    help: 'No rollout has that id, and no endpoint of that name had one. `headrace rollout list` shows them.',
  },
  HR_UNKNOWN_PLAN: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown rollout plan',
    help: 'The applied definitions have no `rollout(…)` of that name. Leave the name out to go by the endpoint’s plan, or by the options alone.',
  },
  HR_SERVER_UNREACHABLE: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'No server answered',
    help: 'A command asked a running server, and none answered at its address. Start one, or name it with `--url`.',
  },
  HR_STOPPING: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Stopping',
    help: 'The server is draining. Retry elsewhere.',
  },
});
