// Errors on the wire: application/problem+json (RFC 9457) from the catalogue, never a stack trace.

import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  type Actor,
  type ErrorDetail,
  type ErrorCode,
  ERRORS,
  HeadraceError,
  invalid,
  MOST_MISTAKES,
  retold,
  toHeadraceError,
  toldOutside,
  withoutKeySecrets,
} from '../../core/index.ts';
import { answerThenDrain } from './drain-body.ts';
import { quoted } from './request-context.ts';
import { loggedRequest, noteProblem, type RequestLog } from './request-log.ts';
import { describeSchemaErrors, type SchemaError } from './schema-mistakes.ts';
import { failSpan } from './trace-requests.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** How a protocol tells a problem, where it has a way of its own. */
export interface ProblemForm {
  readonly type: string;
  /** What becomes the body's JSON. */
  of(problem: Problem, request: Pick<FastifyRequest, 'params'>): object | string;
  /** The catalogue's status where it is left out. */
  statusOf?(code: ErrorCode): number;
}

const PROBLEM: ProblemForm = { type: PROBLEM_TYPE, of: (problem) => problem };

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly request_id?: string;
  readonly errors: readonly ErrorDetail[];
}

/** Whom an error is told, and by which id the log has it. */
export interface ToldTo {
  readonly requestId?: string;
  /** Left out where it is not known who asks: then it is told as to a stranger. */
  readonly actor?: Pick<Actor, 'isLocal'> | undefined;
}

/** What the client is told of an error. What went wrong inside stays in the log, and a key that was pasted in nobody's answer. */
export function toProblem(thrown: HeadraceError, { requestId, actor }: ToldTo = {}): Problem {
  const error = retold(actor?.isLocal === true ? thrown : toldOutside(thrown), withoutInside);
  const { status, title } = ERRORS[error.code];
  return {
    type: `urn:headrace:error:${error.code}`,
    title,
    status,
    // Of a fault not that there are more rows: it is none of theirs.
    detail: status === 500 ? faultOf(error) : withoutKeySecrets(error.message),
    code: error.code,
    ...(requestId === undefined ? {} : { request_id: requestId }),
    errors: error.details.map((detail) => ({
      ...detail,
      path: withoutKeySecrets(detail.path),
      message: withoutKeySecrets(detail.message),
    })),
  };
}

/** Whose rows a fault is of can be told; nothing else of it. */
function withoutInside(error: HeadraceError): HeadraceError {
  const { status, title } = ERRORS[error.code];
  if (status !== 500) return error;
  const rows = error.details.filter(({ path }) => /^(?:inputs|rows)\[\d+\]$/.test(path));
  return new HeadraceError(error.code, faultOf(error), { details: rows.map(({ path }) => ({ path, message: title })) });
}

const faultOf = ({ code }: HeadraceError): string =>
  `${ERRORS[code].title}: the server’s log has it under the request id`;

/** The same of one row, where the others are answered. */
export function rowProblem(
  error: HeadraceError,
  path: string,
  actor: ToldTo['actor'],
): { readonly code: string; readonly detail: string; readonly path: string } {
  const { code, detail, errors } = toProblem(error, { actor });
  return { code, detail: errors.length > 1 ? listed(errors) : detail, path: errors[0]?.path ?? path };
}

/** A row has no list of its mistakes beside its detail. */
const MOST_IN_ROW = 10;

function listed(errors: readonly ErrorDetail[]): string {
  const told = errors.slice(0, MOST_IN_ROW).map(({ path, message }) => `${path}: ${message}`);
  const rest = errors.length - told.length;
  // Past so many mistakes none is listed, and nobody knows how many there are.
  const more = rest === 0 ? '' : errors.length < MOST_MISTAKES ? ` (and ${rest} more)` : ' (and more)';
  return `${told.join('; ')}${more}`;
}

/** Whether the same request may do in a second: there was too much, or a part was not ready. `status`: HTTP's. */
export function isRetryable(status: number): boolean {
  return status === 429 || status === 503;
}

export function sendProblem(
  reply: FastifyReply,
  request: FastifyRequest,
  thrown: unknown,
  log: RequestLog,
  form: ProblemForm = PROBLEM,
): FastifyReply {
  const error = fromHttp(thrown, request.headers['content-type']);
  const status = statusIn(form, error);
  failSpan(request, error);
  noteProblem(request, error);
  log.failed(() => loggedRequest(request), error);
  if (isRetryable(status)) reply.header('retry-after', '1');
  const problem = toProblem(error, { requestId: request.id, actor: request.actor });
  const body = Buffer.from(JSON.stringify(form.of(problem, request)));
  reply.code(status).header('content-type', form.type);
  if (reply.getHeader('connection') !== 'close') return reply.send(body);
  if (!request.raw.readableEnded)
    return reply.header('content-length', body.length).send(answerThenDrain(body, request.raw));
  // Fastify closes the connection wherever a body is refused, also where all of it was read.
  return reply.removeHeader('connection').send(body);
}

/** The same to a request that Fastify has not seen: a body that did not come whole is the connection's last. */
export function writeProblem(
  response: ServerResponse,
  error: HeadraceError,
  told: ToldTo & { readonly requestId: string },
  form: ProblemForm = PROBLEM,
): void {
  const { requestId } = told;
  const status = statusIn(form, error);
  const body = Buffer.from(JSON.stringify(form.of(toProblem(error, told), { params: {} })));
  const headers = { 'x-request-id': requestId, 'content-type': form.type, 'content-length': body.length };
  const isWhole = response.req.readableEnded;
  if (!isWhole) response.setHeader('connection', 'close');
  response.writeHead(status, isRetryable(status) ? { ...headers, 'retry-after': '1' } : headers);
  if (isWhole) response.end(body);
  else answerThenDrain(body, response.req).pipe(response);
}

function statusIn(form: ProblemForm, { code }: HeadraceError): number {
  return form.statusOf?.(code) ?? ERRORS[code].status;
}

interface FrameworkError {
  readonly code?: string;
  readonly statusCode?: number;
  readonly message?: string;
  readonly validation?: readonly SchemaError[];
}

/** Fastify's own errors as ours; `mediaType` is what the request's Content-Type says. */
export function fromHttp(thrown: unknown, mediaType?: string): HeadraceError {
  if (thrown instanceof HeadraceError || typeof thrown !== 'object' || thrown === null) return toHeadraceError(thrown);
  const { code, statusCode, message = '', validation }: FrameworkError = thrown;
  if (validation !== undefined) return invalid(describeSchemaErrors(validation));
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new HeadraceError(
      'HR_UNSUPPORTED_MEDIA',
      `the body’s Content-Type must be application/json, got ${mediaType === undefined ? 'none' : quoted(mediaType)}. Rows for predictions, and for features of /v1/services/{service}/read, may come as application/vnd.apache.arrow.stream, too.`,
    );
  if (code?.startsWith('FST_ERR_CTP_') === true) return new HeadraceError('HR_MALFORMED_JSON', message);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new HeadraceError('HR_INVALID', message);
  return toHeadraceError(thrown);
}
