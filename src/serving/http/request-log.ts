// What the log says of requests: each failure of the server once, with what it takes to find it again; all others where that is
// asked for.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Actor, type ErrorCode, ERRORS, type HeadraceError, type Logger } from '../../core/index.ts';
import { failureKind } from '../../monitoring/index.ts';
import { traceIdOf } from './request-context.ts';
import { routeOf } from './trace-requests.ts';

/** `none`: only what should not happen at all (500). `errors`: every failure of the server. `all`: every request. */
export type LoggedRequests = 'none' | 'errors' | 'all';

export interface RequestLog {
  /** Logs a failure of the server; what clients did wrong is not its failure. `of` is asked only for what is logged. */
  failed(of: () => LoggedRequest, error: HeadraceError): void;
  /** Likewise of rows that failed where the others are answered. */
  rowsFailed(of: () => LoggedRequest, errors: readonly HeadraceError[]): void;
}

/** What finds a request again. */
export interface LoggedRequest {
  readonly requestId: string;
  readonly traceId: string | null;
  readonly endpoint?: string;
  /** Who asks, as the audit log names it; left out before that is known. */
  readonly actor?: string;
  readonly method: string;
  /** As `/v1/endpoints/{endpoint}/predict`. */
  readonly route: string;
}

/** A server that fails everything writes no more lines a second than this, and how many there were. */
const MOST_A_SECOND = 100;

/** Of whoever may not ask: a key that was revoked, a page of another site. */
const TURNED_AWAY = new Set([401, 403, 421]);
/** They are told once, and how many more there were after so long: anybody can make any number. */
const TURNED_AWAY_EVERY_MS = 60_000;

/** `onTurnedAway` hears of each. */
export function createRequestLog(
  logger: Logger,
  logged: LoggedRequests,
  onTurnedAway: (code: ErrorCode) => void,
): RequestLog {
  let turnedAway = 0;
  const tellTurnedAway = (of: () => LoggedRequest, { code, message }: HeadraceError): void => {
    onTurnedAway(code);
    // With `all` each has a line.
    if (logged !== 'errors' || turnedAway++ > 0) return;
    logger.warn({ ...of(), status: ERRORS[code].status, code, reason: message }, 'a request was turned away');
    setTimeout(() => {
      if (turnedAway > 1) logger.warn({ requests: turnedAway - 1 }, 'more requests were turned away');
      turnedAway = 0;
    }, TURNED_AWAY_EVERY_MS).unref();
  };
  let lines = 0;
  let unlogged = 0;
  let timer: NodeJS.Timeout | undefined;
  const endSecond = (): void => {
    timer = undefined;
    if (unlogged > 0) logger.error({ requests: unlogged }, 'more requests failed');
    lines = unlogged = 0;
  };
  const isTold = ({ code }: HeadraceError): boolean =>
    failureKind(code) === 'failed' && (logged !== 'none' || ERRORS[code].status === 500);
  const isRoom = (): boolean => {
    timer ??= setTimeout(endSecond, 1000).unref();
    if (++lines <= MOST_A_SECOND) return true;
    unlogged++;
    return false;
  };
  // The logger tells an error's words and stack, and those of its cause.
  const why = (error: HeadraceError): object =>
    ERRORS[error.code].status === 500
      ? { code: error.code, err: error }
      : { code: error.code, reason: error.message, ...whereThrown(error) };
  return {
    failed(of, error) {
      if (TURNED_AWAY.has(ERRORS[error.code].status)) tellTurnedAway(of, error);
      if (!isTold(error) || !isRoom()) return;
      logger.error({ ...of(), status: ERRORS[error.code].status, ...why(error) }, 'request failed');
    },
    rowsFailed(of, errors) {
      const told = errors.filter(isTold);
      const [first] = told;
      if (first === undefined || !isRoom()) return;
      logger.error({ ...of(), status: 200, failedRows: told.length, ...why(first) }, 'rows of a request failed');
    },
  };
}

/** A user's function is found by its stack, which the client is not told. */
function whereThrown({ code, cause }: HeadraceError): object {
  return code === 'HR_TRANSFORM_FAILED' && cause !== undefined ? { err: cause } : {};
}

/** What requests were refused or failed with: a status alone does not say whose failure it is. */
const problems = new WeakMap<FastifyRequest, ErrorCode>();

/** Remembers what the request was answered with, for those who log every one. */
export function noteProblem(request: FastifyRequest, { code }: HeadraceError): void {
  problems.set(request, code);
}

/** Logs every request that is not a failure. */
export function logEveryRequest(app: FastifyInstance, logger: Logger): void {
  app.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done) => {
    const { statusCode: status } = reply;
    const latencyMs = Math.round(reply.elapsedTime * 1000) / 1000;
    const code = problems.get(request);
    const fields = { ...loggedRequest(request), status, ...(code === undefined ? {} : { code }), latencyMs };
    if (code === undefined || failureKind(code) !== 'failed') logger.info(fields, 'request');
    done();
  });
}

export function loggedRequest(request: FastifyRequest): LoggedRequest {
  const { endpoint } = (request.params ?? {}) as { readonly endpoint?: string };
  // A request that the framework refuses has none yet.
  const actor = request.actor as Actor | null;
  return {
    requestId: request.id,
    traceId: traceIdOf(request) ?? null,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(actor === null ? {} : { actor: actor.name }),
    method: request.method,
    route: routeOf(request),
  };
}
