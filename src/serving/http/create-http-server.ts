// The HTTP server apart from its socket: tests inject requests, `serve` listens. It translates and holds no logic.

import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import { didYouMean, HeadraceError, type Logger } from '../../core/index.ts';
import type { Tracing } from '../../monitoring/index.ts';
import type { DataPlane } from '../data-plane.ts';
import { drainBody } from './drain-body.ts';
import { addEndpointRoutes } from './endpoint-routes.ts';
import { createEventStreams } from './event-stream.ts';
import { addFeatureRoutes } from './feature-routes.ts';
import { addHealthRoutes } from './health-routes.ts';
import { addJsonBody } from './json-body.ts';
import type { LiveStats } from './live-stats.ts';
import { addPredictRoute } from './predict-route.ts';
import { fromHttp, PROBLEM_TYPE, sendProblem, toProblem } from './problem.ts';
import { continueTrace } from './request-context.ts';
import { createRequestLog, logEveryRequest, type LoggedRequests } from './request-log.ts';
import { createRouteMethods } from './route-methods.ts';
import { addStatusRoute, type ReadStatus } from './status-route.ts';
import { traceRequests } from './trace-requests.ts';

export interface HttpServerOptions {
  readonly logger: Logger;
  /** Which requests are logged: `errors` when left out. */
  readonly loggedRequests?: LoggedRequests;
  /** Where spans go; nowhere when left out. */
  readonly tracing?: Tracing | undefined;
  readonly stats: LiveStats;
  readonly status: ReadStatus;
  /** Freshness and coverage of views in Prometheus' text format; rejects while the registry or the store is away. */
  readonly viewMetrics: () => Promise<string>;
  readonly bodyLimitBytes: number;
  readonly version: string;
  /** Leave the page at /docs out: it takes a while to load. */
  readonly hasDocs?: boolean;
}

export async function createHttpServer(dataPlane: DataPlane, options: HttpServerOptions): Promise<FastifyInstance> {
  const logger = createRequestLog(options.logger, options.loggedRequests ?? 'errors');
  const streams = createEventStreams(options.stats);
  let lastId = 0;
  const app = fastify({
    logger: false,
    bodyLimit: options.bodyLimitBytes,
    requestIdHeader: 'x-request-id',
    genReqId: () => `${process.pid.toString(36)}-${(lastId++).toString(36)}`,
    exposeHeadRoutes: false,
    // Requests that arrive on open connections while stopping are answered, with `Connection: close`.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: true } },
    frameworkErrors: (error, request, reply) => void sendProblem(reply, request, error, logger),
    clientErrorHandler: (_error, socket) => {
      if (!socket.writable) return;
      const body = JSON.stringify(
        toProblem(new HeadraceError('HR_INVALID', 'the request is not HTTP/1.1 as it should be.')),
      );
      const length = `content-length: ${Buffer.byteLength(body)}`;
      socket.end(
        `HTTP/1.1 400 Bad Request\r\ncontent-type: ${PROBLEM_TYPE}\r\n${length}\r\nconnection: close\r\n\r\n${body}`,
      );
    },
  });
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    continueTrace(request, reply);
    done();
  });
  if (options.tracing !== undefined) traceRequests(app, options.tracing);
  if (options.loggedRequests === 'all') logEveryRequest(app, options.logger);
  app.addHook('preClose', (done) => {
    streams.endAll();
    done();
  });
  app.setErrorHandler(async (error, request, reply) => {
    const problem = fromHttp(error);
    if (problem.code === 'HR_TOO_LARGE') await drainBody(request.raw);
    return sendProblem(reply, request, problem, logger);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? request.url;
    const methods = routes.methodsOf(path);
    if (methods.length > 0) {
      const known = methods.join(', ');
      const error = new HeadraceError(
        'HR_METHOD_NOT_ALLOWED',
        `${path.slice(0, 200)} takes ${known}, not ${request.method}.`,
      );
      return sendProblem(reply.header('allow', known), request, error, logger);
    }
    const sentence = `there is no ${request.method} ${path.slice(0, 200)}.${didYouMean(path, PATHS)} /docs lists the routes.`;
    return sendProblem(reply, request, new HeadraceError('HR_UNKNOWN_ROUTE', sentence), logger);
  });
  const routes = createRouteMethods();
  app.addHook('onRoute', ({ method, url }) => routes.add(method, url));
  addJsonBody(app);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Headrace',
        version: options.version,
        description: 'Features and predictions. Errors are application/problem+json.',
      },
    },
  });
  await app.register((scope) => {
    addPredictRoute(scope, dataPlane, logger);
    addFeatureRoutes(scope, dataPlane);
    addEndpointRoutes(scope, dataPlane);
    addHealthRoutes(scope, dataPlane, options, streams);
    addStatusRoute(scope, options.status);
    scope.get('/openapi.json', { schema: { hide: true } }, () => Promise.resolve(app.swagger()));
    return Promise.resolve();
  });
  if (options.hasDocs !== false) {
    const { default: reference } = await import('@scalar/fastify-api-reference');
    await app.register(reference, { routePrefix: '/docs', configuration: { url: '/openapi.json', title: 'Headrace' } });
  }
  await app.ready();
  return app;
}

const PATHS = [
  '/v1/endpoints',
  '/v1/features/read',
  '/v1/monitoring/stream',
  '/v1/status',
  '/health/live',
  '/health/ready',
  '/metrics',
  '/openapi.json',
  '/docs',
];
