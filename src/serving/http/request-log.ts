// What the log says of requests: each failure of the server once, with what it takes to find it again; all others where that is
// asked for.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, type HeadraceError, type Logger } from '../../core/index.ts';
import { failureKind } from '../../monitoring/index.ts';
import { traceIdOf } from './request-context.ts';
import { routeOf } from './trace-requests.ts';

/** `none`: only what should not happen at all (500). `errors`: every failure of the server. `all`: every request. */
export type LoggedRequests = 'none' | 'errors' | 'all';

export interface RequestLog {
  /** Logs a failure of the server; what clients did wrong is not its failure. `of` is asked only for what is logged. */
  failed(of: () => LoggedRequest, error: HeadraceError): void;
}

/** What finds a request again. */
export interface LoggedRequest {
  readonly requestId: string;
  readonly traceId: string | null;
  readonly endpoint?: string;
  readonly method: string;
  /** As `/v1/endpoints/{endpoint}/predict`. */
  readonly route: string;
}

/** A server that fails everything writes no more lines a second than this, and how many there were. */
const MOST_A_SECOND = 100;

export function createRequestLog(logger: Logger, logged: LoggedRequests): RequestLog {
  let lines = 0;
  let unlogged = 0;
  let timer: NodeJS.Timeout | undefined;
  const endSecond = (): void => {
    timer = undefined;
    if (unlogged > 0) logger.error({ requests: unlogged }, 'more requests failed');
    lines = unlogged = 0;
  };
  return {
    failed(of, error) {
      const { status } = ERRORS[error.code];
      if (failureKind(error.code) !== 'failed' || (logged === 'none' && status !== 500)) return;
      timer ??= setTimeout(endSecond, 1000).unref();
      if (++lines > MOST_A_SECOND) {
        unlogged++;
        return;
      }
      // The logger tells an error's words and stack, and those of its cause.
      const why = status === 500 ? { err: error } : { reason: error.message, ...whereThrown(error) };
      logger.error({ ...of(), status, code: error.code, ...why }, 'request failed');
    },
  };
}

/** A user's function is found by its stack, which the client is not told. */
function whereThrown({ code, cause }: HeadraceError): object {
  return code === 'HR_TRANSFORM_FAILED' && cause !== undefined ? { err: cause } : {};
}

/** Requests that failed: a status alone does not say so. */
const failures = new WeakSet<FastifyRequest>();

/** Remembers whether the request failed, for those who log every other. */
export function noteFailure(request: FastifyRequest, { code }: HeadraceError): void {
  if (failureKind(code) === 'failed') failures.add(request);
}

/** Logs every request that is not a failure. */
export function logEveryRequest(app: FastifyInstance, logger: Logger): void {
  app.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done) => {
    const { statusCode: status } = reply;
    const latencyMs = Math.round(reply.elapsedTime * 1000) / 1000;
    if (!failures.has(request)) logger.info({ ...loggedRequest(request), status, latencyMs }, 'request');
    done();
  });
}

export function loggedRequest(request: FastifyRequest): LoggedRequest {
  const { endpoint } = (request.params ?? {}) as { readonly endpoint?: string };
  return {
    requestId: request.id,
    traceId: traceIdOf(request) ?? null,
    ...(endpoint === undefined ? {} : { endpoint }),
    method: request.method,
    route: routeOf(request),
  };
}
