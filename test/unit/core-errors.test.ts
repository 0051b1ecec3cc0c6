// The catalogue of errors: what HTTP and gRPC answer for one error means the same to both kinds of client.

import { expect, it } from 'vitest';
import { type ErrorCode, ERRORS } from '../../src/core/index.ts';

/** The HTTP statuses that each gRPC status is answered as; the first as google.rpc.Code maps it, but for FAILED_PRECONDITION. */
const STATUSES: Readonly<Record<string, readonly number[]>> = {
  INVALID_ARGUMENT: [400, 415, 416],
  UNAUTHENTICATED: [401],
  PERMISSION_DENIED: [403, 421],
  NOT_FOUND: [404],
  ABORTED: [409, 412],
  FAILED_PRECONDITION: [409, 422, 400],
  RESOURCE_EXHAUSTED: [429, 413, 507],
  CANCELLED: [499],
  INTERNAL: [500],
  UNIMPLEMENTED: [501, 405],
  UNAVAILABLE: [503],
  DEADLINE_EXCEEDED: [504],
};

it.each(Object.keys(ERRORS) as ErrorCode[])('%s is the same over HTTP as over gRPC', (code) => {
  const { status, grpc } = ERRORS[code];
  expect(STATUSES[grpc]).toContain(status);
});
