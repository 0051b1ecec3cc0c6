// The HTTP server apart from its socket: tests inject requests, `serve` listens. It translates and holds no logic.

import type { IncomingMessage } from 'node:http';
import swagger from '@fastify/swagger';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import { didYouMean, type ErrorCode, HeadraceError, type Logger, withoutKeySecrets } from '../../core/index.ts';
import type { ReadHistory, Tracing } from '../../monitoring/index.ts';
import type { Rollouts } from '../../rollouts/index.ts';
import type { BytesInFlight } from '../bytes-in-flight.ts';
import type { Materialize } from '../feast/materialize.ts';
import type { ServingPlanes } from '../open-serving.ts';
import { addCatalogueRoutes } from './catalogue-routes.ts';
import { addDocsRoutes, addRootRoute } from './docs/docs-routes.ts';
import { addEndpointRoutes } from './endpoint-routes.ts';
import { createEventStreams } from './event-stream.ts';
import { answerExpectations } from './expectations.ts';
import { addFeatureRoutes, addServiceReadRoute } from './feature-routes.ts';
import { addHealthRoutes } from './health-routes.ts';
import { addJsonBody } from './json-body.ts';
import { holdBodies } from './body-parser.ts';
import { addArrowBody } from './arrow-form.ts';
import { addHistoryRoute } from './history-routes.ts';
import { addFeastRoutes } from './feast/feast-routes.ts';
import { addGrowthBookRoutes } from './flags/growthbook-routes.ts';
import { addOfrepRoutes } from './flags/ofrep-routes.ts';
import { addStatsigRoutes, type StatsigOptions } from './flags/statsig-routes.ts';
import { addInt64Form } from './int64-form.ts';
import { addMonitoringRoutes, type MonitoringReads } from './monitoring-routes.ts';
import { addAlertRoutes, type AlertsRead, liveAlerts } from './alert-routes.ts';
import { addExperimentRoutes, type ServedExperiments } from './experiment-routes.ts';
import type { LiveStats } from './live-stats.ts';
import { isNewest } from './node-socket.ts';
import { OIP_FORM } from './oip/oip-form.ts';
import { addOipRoutes } from './oip/oip-routes.ts';
import { quickInfer } from './oip/quick-infer.ts';
import { addOpenApiRoute } from './openapi/openapi-routes.ts';
import { createSeenCatalogue } from './openapi/seen-catalogue.ts';
import { addPredictRoute, PREDICT_URL } from './predict-route.ts';
import { fromHttp, type ProblemForm, sendProblem } from './problem.ts';
import { quickPredict } from './quick-predict.ts';
import { answerQuickly } from './quick-route.ts';
import { continueTrace, requestIdOf } from './request-context.ts';
import { createRequestLog, logEveryRequest, type LoggedRequests, logRequest } from './request-log.ts';
import { addRolloutRoutes } from './rollout-routes.ts';
import { createRouteMethods } from './route-methods.ts';
import { addSecurity, createGuard, isStillAdmitted } from './security/add-security.ts';
import { answerClientError } from './security/client-error.ts';
import { mayUse } from './security/gate.ts';
import type { RouteRole } from './security/route-role.ts';
import type { Security } from './security/security.ts';
import { addShadowRoutes } from './shadow-routes.ts';
import { addStatusRoute, type StatusParts } from './status-route.ts';
import { addTrainingSetRoutes, type TrainingSetRoutes } from './training-sets/training-set-routes.ts';
import { traceRequests } from './trace-requests.ts';

export interface HttpServerOptions {
  readonly logger: Logger;
  /** Which requests are logged: `errors` when left out. */
  readonly loggedRequests?: LoggedRequests;
  /** Hears of each request of somebody who may not ask. */
  readonly onTurnedAway: (code: ErrorCode) => void;
  readonly onExposures: StatsigOptions['onExposures'];
  /** Where spans go; nowhere when left out. */
  readonly tracing?: Tracing | undefined;
  readonly stats: LiveStats;
  readonly alerts: AlertsRead;
  readonly experiments: ServedExperiments;
  readonly materialize: Materialize;
  readonly rollouts: () => Promise<Rollouts>;
  readonly monitoring: MonitoringReads;
  readonly status: StatusParts;
  readonly history: ReadHistory;
  /** Freshness and coverage of views in Prometheus' text format; rejects while the registry or the store is away. */
  readonly viewMetrics: () => Promise<string>;
  /** Of one body. */
  readonly bodyLimitBytes: number;
  /** Of all bodies. */
  readonly bytes: BytesInFlight;
  /** The deadline of a request without `X-Request-Timeout-Ms`. */
  readonly requestTimeoutMs: number;
  readonly trainingSets: TrainingSetRoutes;
  readonly security: Security;
  readonly limits: HttpLimits;
  /** PEM; undefined: no TLS. */
  readonly tls: TlsFiles | undefined;
  readonly version: string;
  /** Leave the page at /docs out. */
  readonly hasDocs?: boolean;
}

export interface HttpLimits {
  /** In which a request has to arrive, headers and body. */
  readonly bodyTimeoutMs: number;
  readonly maxStreams: number;
  readonly maxConnections: number;
}

/** The texts of a certificate (with those above it) and its key. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface HttpServer {
  readonly app: FastifyInstance;
  /** Each route's own role by `METHOD url`; undefined where it names none, and takes `admin`. */
  readonly roles: ReadonlyMap<string, RouteRole | undefined>;
}

/** Of a request's line and headers. */
const HEADER_LIMIT_BYTES = 16 * 1024;
/** How often at least what is late is looked for. */
const CHECK_MS = 500;
const HANDSHAKE_MS = 10_000;
/** Nothing that came is changed; all mistakes are told, each with what came and what it was held against. */
const VALIDATION = { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: true, verbose: true };

export async function createHttpServer(
  { data, ingest, control, inference }: Pick<ServingPlanes, 'data' | 'ingest' | 'control' | 'inference'>,
  options: HttpServerOptions,
): Promise<HttpServer> {
  const { security, limits, tls } = options;
  const logger = createRequestLog(options.logger, options.loggedRequests ?? 'errors', options.onTurnedAway);
  const streamed = {
    maxStreams: limits.maxStreams,
    isStillAdmitted: (request: FastifyRequest) => isStillAdmitted(security, request),
    logger: options.logger,
  };
  const streams = createEventStreams({ ...streamed, stats: options.stats, alerts: liveAlerts(options.alerts) });
  let lastId = 0;
  const requestId = ({ headers }: Pick<IncomingMessage, 'headers'>): string =>
    requestIdOf(headers['x-request-id']) ?? `${process.pid.toString(36)}-${(lastId++).toString(36)}`;
  const greet = (request: FastifyRequest, reply: FastifyReply): void => {
    reply.header('x-request-id', request.id);
    continueTrace(request, reply);
  };
  const guard = createGuard(security);
  const common: FastifyServerOptions = {
    logger: false,
    requestIdHeader: false,
    genReqId: requestId,
    exposeHeadRoutes: false,
    // Requests that arrive on open connections while stopping are answered, with `Connection: close`.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    ajv: { customOptions: VALIDATION },
    // A URL that the router refuses runs no hook, and has no route to tell by what it takes: any key.
    frameworkErrors: (error, request, reply) => {
      greet(request, reply);
      if (options.loggedRequests === 'all') reply.raw.once('close', () => logRequest(options.logger, request, reply));
      const form = formOf(request.url);
      guard(request, reply, (refusal) => void sendProblem(reply, request, refusal ?? error, logger, form));
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, limits.bodyTimeoutMs),
    requestTimeout: limits.bodyTimeoutMs,
  };
  const node = {
    maxHeaderSize: HEADER_LIMIT_BYTES,
    headersTimeout: limits.bodyTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, limits.bodyTimeoutMs / 2),
    // Looked for at the gate, which answers more than a bare 400.
    requireHostHeader: false,
  };
  const app = fastify({
    ...common,
    // An https.Server is an http.Server, too; Fastify's types keep them apart.
    ...(tls === undefined ? { http: node } : { https: { ...node, ...tls, handshakeTimeout: HANDSHAKE_MS } }),
  } as FastifyServerOptions);
  app.server.maxConnections = limits.maxConnections;
  answerExpectations(app.server);
  app.addHook('onRequest', (request, reply, done) => {
    greet(request, reply);
    done();
  });
  const roles = new Map<string, RouteRole | undefined>();
  addSecurity(app, guard, roles);
  addInt64Form(app);
  if (options.tracing !== undefined) traceRequests(app, options.tracing);
  if (options.loggedRequests === 'all') logEveryRequest(app, options.logger);
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    streams.endAll();
    done();
  });
  // Those that came before the close, too: what is sent on their connection next would find it closed.
  app.addHook('onSend', (request, reply, payload, done) => {
    if (isClosing && isNewest(request.raw)) reply.header('connection', 'close');
    done(null, payload);
  });
  app.setErrorHandler((error, request, reply) => {
    const problem = fromHttp(error, request.headers['content-type']);
    security.refused.tell(request, problem);
    if (request.routeOptions.url === PREDICT_URL) {
      const { endpoint } = request.params as { endpoint: string };
      // Who may not use it moves none of its figures.
      if (mayUse(request.actor, 'predict', endpoint)) data.refused(endpoint, problem);
    }
    return sendProblem(reply, request, problem, logger);
  });
  const tellNoRoute = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const path = withoutKeySecrets(request.url.split('?')[0] ?? request.url);
    const form = formOf(path);
    const methods = routes.methodsOf(path);
    if (methods.length > 0) {
      const known = methods.join(', ');
      const error = new HeadraceError(
        'HR_METHOD_NOT_ALLOWED',
        `${path.slice(0, 200)} takes ${known}, not ${request.method}.`,
      );
      return sendProblem(reply.header('allow', known), request, error, logger, form);
    }
    const asked = path.slice(0, 200);
    const sentence = `there is no ${request.method} ${asked}.${didYouMean(asked, routes.pathsLike(asked))} /openapi.json lists the routes.`;
    return sendProblem(reply, request, new HeadraceError('HR_UNKNOWN_ROUTE', sentence), logger, form);
  };
  app.setNotFoundHandler(tellNoRoute);
  // Before its body is read.
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) tellNoRoute(request, reply);
    else done();
  });
  const routes = createRouteMethods();
  app.addHook('onRoute', ({ method, url }) => routes.add(method, url));
  holdBodies(app);
  addJsonBody(app, options);
  // It gathers what routes say of themselves; the document is made of that and of the definitions.
  await app.register(swagger, { openapi: { openapi: '3.1.0' } });
  const hasDocs = options.hasDocs !== false;
  const seen = createSeenCatalogue(control);
  const described = { version: options.version, routes: () => app.swagger() };
  // The only ones whose body may be Arrow, too.
  await app.register((scope) => {
    addArrowBody(scope, options);
    addPredictRoute(scope, data, options, logger);
    addServiceReadRoute(scope, data, options);
    return Promise.resolve();
  });
  await app.register(async (scope) => {
    addFeatureRoutes(scope, data, ingest, options);
    addEndpointRoutes(scope, control, ingest, options);
    addShadowRoutes(scope, control, options.stats);
    addHealthRoutes(scope, control, options, streams);
    addStatusRoute(scope, options.status, options.logger);
    addHistoryRoute(scope, options.history);
    addCatalogueRoutes(scope, control);
    addAlertRoutes(scope, options.alerts);
    addExperimentRoutes(scope, options.experiments);
    addRolloutRoutes(scope, options.rollouts);
    addMonitoringRoutes(scope, options.monitoring);
    addOpenApiRoute(scope, seen, described);
    addRootRoute(scope, seen, { version: options.version, hasDocs });
    if (hasDocs) addDocsRoutes(scope, seen, described);
    await addTrainingSetRoutes(scope, options.trainingSets, streamed);
  });
  const flags = { control, gate: security.gate, log: logger };
  await app.register(async (scope) => addGrowthBookRoutes(scope, flags, streamed));
  await app.register(async (scope) => addOfrepRoutes(scope, flags));
  await app.register(async (scope) => addStatsigRoutes(scope, { ...flags, ...options }));
  await app.register(async (scope) => addFeastRoutes(scope, { ...options, data, ingest, control, log: logger }));
  await app.register(async (scope) => addOipRoutes(scope, { ...options, inference, log: logger }));
  await app.ready();
  // Spans and lines for every request are made by the route's hooks.
  if (options.tracing === undefined && options.loggedRequests !== 'all') {
    const quick = {
      gate: security.gate,
      defaults: options,
      bodyLimitBytes: options.bodyLimitBytes,
      bytes: options.bytes,
      log: logger,
      requestId,
      isClosing: () => isClosing,
    };
    answerQuickly(app.server, quick, quickPredict(data));
    answerQuickly(app.server, quick, quickInfer(inference));
  }
  return { app, roles };
}

/** Of an error before there is a route: the Open Inference Protocol's own under its path, else ours. */
function formOf(path: string): ProblemForm | undefined {
  return path.startsWith('/v2/') ? OIP_FORM : undefined;
}
