// What headers say of a request: its id, its trace, its deadline. Checked here, once.

import { randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HeadraceError, invalid } from '../../core/index.ts';
import type { Caller } from '../serving-deps.ts';

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})$/;

/** Reads the request's headers, and answers the trace's: the same trace, a span of our own. Throws HR_INVALID. */
export function callerOf(request: FastifyRequest, reply: FastifyReply): Caller {
  const { headers } = request;
  const timeoutMs = headers['x-request-timeout-ms'];
  const traceparent = headers['traceparent'];
  return {
    requestId: request.id,
    traceId: typeof traceparent === 'string' ? continueTrace(traceparent, reply) : undefined,
    timeoutMs: timeoutMs === undefined ? undefined : readTimeout(timeoutMs),
  };
}

function continueTrace(traceparent: string, reply: FastifyReply): string | undefined {
  const match = TRACEPARENT.exec(traceparent);
  const traceId = match?.[1];
  // A header that is not valid is left alone, as the standard asks.
  if (traceId === undefined || /^0+$/.test(traceId)) return undefined;
  reply.header('traceparent', `00-${traceId}-${randomBytes(8).toString('hex')}-${match?.[2] ?? '00'}`);
  return traceId;
}

const MAX_TIMEOUT_MS = 3_600_000;

function readTimeout(text: string | readonly string[]): number {
  const value = typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (value >= 1 && value <= MAX_TIMEOUT_MS) return value;
  throw invalid([{ path: 'X-Request-Timeout-Ms', message: `expected whole milliseconds from 1 to ${MAX_TIMEOUT_MS}` }]);
}

/** The Idempotency-Key header. Throws HR_INVALID when it is too long. */
export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined || key === '') return undefined;
  if (typeof key !== 'string' || key.length > 255)
    throw new HeadraceError('HR_INVALID', 'Idempotency-Key: expected one key of at most 255 characters');
  return key;
}
