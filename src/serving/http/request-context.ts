// What headers say of a request: its id, its trace, its deadline. Checked here, once, and made its scope.

import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createScope, HeadraceError, invalid, type Scope } from '../../core/index.ts';
import { parseTraceparent } from '../../monitoring/index.ts';
import { spanOf } from './trace-requests.ts';

/** What holds where a request says nothing. */
export interface RequestDefaults {
  readonly requestTimeoutMs: number;
}

/** The request's claim, from now on. Throws HR_INVALID. */
export function scopeOf(request: FastifyRequest, defaults: RequestDefaults): Scope {
  const { id: requestId, actor, raw } = request;
  const traceId = traceIdOf(request) ?? null;
  return claimOf(raw, { requestId, traceId, actor, span: spanOf(request) }, defaults);
}

/** The same for a request as Node has it. Throws HR_INVALID. */
export function claimOf(
  { headers, socket }: IncomingMessage,
  facts: Pick<Scope, 'requestId' | 'traceId' | 'actor' | 'span'>,
  { requestTimeoutMs }: RequestDefaults,
): Scope {
  const asked = headers['x-request-timeout-ms'];
  return createScope({
    ...facts,
    deadlineMs: performance.now() + (asked === undefined ? requestTimeoutMs : readTimeout(asked)),
    priority: 'online',
    connection: socket,
  });
}

const REQUEST_ID = /^[\x20-\x7e]{1,128}$/;

/** What a client calls its request, where that can stand in a log as it is. */
export function requestIdOf(given: string | readonly string[] | undefined): string | undefined {
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : undefined;
}

/** W3C trace id: of its span, else as the client sent it. */
export function traceIdOf(request: FastifyRequest): string | undefined {
  return spanOf(request)?.traceId ?? parseTraceparent(request.headers['traceparent'])?.traceId;
}

/** Answers the same trace with a span of our own; nothing when the request is in no trace. */
export function continueTrace(request: FastifyRequest, reply: FastifyReply): void {
  const parent = parseTraceparent(request.headers['traceparent']);
  if (parent === undefined) return;
  const flags = parent.isSampled ? '01' : '00';
  reply.header('traceparent', `00-${parent.traceId}-${randomBytes(8).toString('hex')}-${flags}`);
}

const MOST_SHOWN = 80;

/** What came in a header, for an error. */
export function quoted(header: string): string {
  return JSON.stringify(header.length > MOST_SHOWN ? `${header.slice(0, MOST_SHOWN)}…` : header);
}

/** What a request may take. */
export const MAX_TIMEOUT_MS = 3_600_000;

function readTimeout(text: string | readonly string[]): number {
  const value = typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (value >= 1 && value <= MAX_TIMEOUT_MS) return value;
  const came = quoted(typeof text === 'string' ? text : text.join(', '));
  const message = `expected whole milliseconds from 1 to ${MAX_TIMEOUT_MS}, got ${came}`;
  throw invalid([{ path: 'X-Request-Timeout-Ms', message }]);
}

export const LONGEST_IDEMPOTENCY_KEY = 255;

export function isIdempotencyKey(key: string): boolean {
  return key.trim() !== '' && key.length <= LONGEST_IDEMPOTENCY_KEY;
}

/** The Idempotency-Key header. Throws HR_INVALID when it is too long. */
export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !isIdempotencyKey(key))
    throw new HeadraceError(
      'HR_INVALID',
      `Idempotency-Key: expected one key of 1 to ${LONGEST_IDEMPOTENCY_KEY} characters that is not blank`,
    );
  return key;
}
