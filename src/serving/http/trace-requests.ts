// A server's spans: one for each sampled request, within the trace that it came with, named and described by OpenTelemetry's
// conventions for HTTP servers.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { withoutKeySecrets } from '../../core/index.ts';
import type { RequestSpan, Tracing } from '../../monitoring/index.ts';

interface Traced {
  readonly span: RequestSpan;
  failure?: unknown;
}

const traced = new WeakMap<FastifyRequest, Traced>();

/** What is asked by machines every few seconds would be most of what is traced. */
const UNTRACED = /^\/(?:health\/|metrics$)/;

/** Hooks that are there only where somebody takes the spans. */
export function traceRequests(app: FastifyInstance, tracing: Tracing): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { method, headers } = request;
    const route = routeOf(request);
    if (!UNTRACED.test(route)) {
      const { traceparent } = headers;
      const span = tracing.startRequest(
        typeof traceparent === 'string' ? traceparent : undefined,
        `${method} ${route}`,
      );
      if (span !== undefined) {
        traced.set(request, { span });
        span.set('http.request.method', method);
        span.set('http.route', route);
        span.set('headrace.request_id', request.id);
        const { endpoint } = (request.params ?? {}) as { readonly endpoint?: string };
        if (endpoint !== undefined) span.set('headrace.endpoint', withoutKeySecrets(endpoint));
        reply.header('traceparent', span.traceparent);
      }
    }
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const own = traced.get(request);
    if (own !== undefined) {
      own.span.set('http.response.status_code', reply.statusCode);
      own.span.end(own.failure);
    }
    done();
  });
}

/** The request's span; undefined when it is not sampled. */
export const spanOf = (request: FastifyRequest): RequestSpan | undefined => traced.get(request)?.span;

/** Its span ends with this error. */
export function failSpan(request: FastifyRequest, error: unknown): void {
  const own = traced.get(request);
  if (own !== undefined) own.failure = error;
}

/** `/v1/endpoints/{endpoint}/predict`; `unknown` where there is no route. */
export function routeOf(request: FastifyRequest): string {
  return (request.routeOptions.url ?? 'unknown').replace(/:(\w+)/g, '{$1}');
}
