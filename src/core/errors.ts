// Every error a user can meet: code, HTTP status, gRPC status, and what its sentence must say.
// docs/reference/errors.md is generated from this catalogue (npm run docs).

import { DATA_ERRORS } from './errors/data-errors.ts';
import { DEFINITION_ERRORS } from './errors/definition-errors.ts';
import { EXPERIMENT_ERRORS } from './errors/experiment-errors.ts';
import { KEEPING_ERRORS } from './errors/keeping-errors.ts';
import { SERVING_ERRORS } from './errors/serving-errors.ts';
import { STREAM_ERRORS } from './errors/stream-errors.ts';
import { WORK_ERRORS } from './errors/work-errors.ts';

export type { GrpcStatus } from './errors/catalogue-entry.ts';

export const ERRORS = {
  ...DEFINITION_ERRORS,
  ...DATA_ERRORS,
  ...SERVING_ERRORS,
  ...STREAM_ERRORS,
  ...WORK_ERRORS,
  ...KEEPING_ERRORS,
  ...EXPERIMENT_ERRORS,
};

export type ErrorCode = keyof typeof ERRORS;
