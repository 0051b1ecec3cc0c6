// Health, metrics and the live stream.

import type { FastifyInstance } from 'fastify';
import { formatTimestamp, type Logger, type Micros } from '../../core/index.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { DefinitionsHealth, EndpointHealth } from '../definitions-health.ts';
import { createBoundedRead } from './bounded-read.ts';
import { definitionsMetrics } from './definitions-metrics.ts';
import { HealthResponse } from './schemas.ts';
import type { LiveStats } from './live-stats.ts';
import type { OpenStreams } from './open-streams.ts';

const VIEW_METRICS_LIMIT_MS = 1000;
/** Load balancers ask by HEAD. */
const WITH_HEAD = { exposeHeadRoute: true };

export function addHealthRoutes(
  app: FastifyInstance,
  control: ControlPlane,
  {
    stats,
    viewMetrics,
    logger,
  }: { readonly stats: LiveStats; readonly viewMetrics: () => Promise<string>; readonly logger: Logger },
  streams: OpenStreams,
): void {
  const readViews = createBoundedRead({
    what: 'the views’ metrics',
    read: viewMetrics,
    limitMs: VIEW_METRICS_LIMIT_MS,
    logger,
  });
  app.get(
    '/health/live',
    {
      ...WITH_HEAD,
      config: { role: 'open' },
      schema: { summary: 'Whether the process runs', tags: ['health'], response: { 200: HealthResponse } },
    },
    () => Promise.resolve({ status: 'live' }),
  );
  app.get(
    '/health/ready',
    {
      ...WITH_HEAD,
      config: { role: 'open' },
      schema: {
        summary: 'Whether requests can be answered',
        tags: ['health'],
        response: { 200: HealthResponse, 503: HealthResponse },
      },
    },
    (request, reply) => {
      const { isReady, reason, health } = control.readiness();
      const status = isReady ? 'ready' : 'not ready';
      // A balancer needs the status alone; the rest tells what is served here.
      const { roles, endpoints } = request.actor;
      const detail = roles.has('read') && endpoints === null ? { reason, ...presentHealth(health) } : {};
      return reply.code(isReady ? 200 : 503).send({ status, ...detail });
    },
  );
  app.get(
    '/metrics',
    {
      config: { role: 'read', tellsOfAllEndpoints: true },
      schema: { summary: 'Metrics in Prometheus’ format', tags: ['health'] },
    },
    async (_request, reply) => {
      // The server's own figures are told whatever store is away, and in time for whoever scrapes.
      const [own, definitions, views] = await Promise.all([
        stats.prometheus(),
        definitionsMetrics(control.readiness().health),
        readViews(),
      ]);
      const text = `${own}\n${definitions}\n${'value' in views ? views.value : ''}`;
      return reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(text);
    },
  );
  app.get(
    '/v1/monitoring/stream',
    {
      config: { role: 'read', tellsOfAllEndpoints: true },
      schema: {
        summary: 'Live rates, latencies, errors and missing features by endpoint and variant, as server-sent events',
        tags: ['monitoring'],
      },
    },
    (request, reply) => streams.open(request, reply),
  );
}

/** As plain JSON data, with the API's names. */
export function presentHealth({ revision, notLoaded, endpoints, services, views }: DefinitionsHealth): object {
  return {
    revision,
    not_loaded: notLoaded,
    endpoints: endpoints.map(presentEndpointHealth),
    services: services.map(({ waitsFor, ...service }) => ({ ...service, waits_for: waitsFor })),
    views,
  };
}

/** Likewise of one endpoint. */
export function presentEndpointHealth({ sinceMicros, retryMicros, breakers, ...health }: EndpointHealth): object {
  const open = breakers?.map(({ variant, version, sinceMicros: since, probeMicros }) => ({
    variant,
    version,
    since: timeOf(since),
    probeAt: timeOf(probeMicros),
  }));
  const told = { ...health, since: timeOf(sinceMicros), retryAt: timeOf(retryMicros) };
  return open === undefined ? told : { ...told, breakers: open };
}

/** RFC 3339, or null for never. */
export function timeOf(at: Micros | null): string | null {
  return at === null ? null : formatTimestamp(at);
}
