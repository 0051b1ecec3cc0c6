// Reading features and pushing events over HTTP.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { DataPlane } from '../data-plane.ts';
import type { Layout } from '../features/answer-writer.ts';
import type { FeaturesRead } from '../features/read-features.ts';
import type { IngestPlane } from '../ingest-plane.ts';
import { isSentRows } from '../sent-rows.ts';
import { ARROW_TYPE, loadArrow, wantsArrow } from './arrow-form.ts';
import { JSON_TYPE } from './json-type.ts';
import { queryFlags } from './query-flags.ts';
import { parseReadBody, parseServiceReadBody } from './read-body.ts';
import { idempotencyKeyOf, type RequestDefaults, scopeOf } from './request-context.ts';
import {
  problems,
  PushBody,
  PushResponse,
  ReadBody,
  ReadResponse,
  ServiceParams,
  ServiceReadBody,
  SourceParams,
} from './schemas.ts';

export function addFeatureRoutes(
  app: FastifyInstance,
  dataPlane: DataPlane,
  ingestPlane: IngestPlane,
  defaults: RequestDefaults,
): void {
  // The body is checked by parsers compiled for its service and the answer comes as bytes: no schema is looked at.
  app.post(
    '/v1/features/read',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Read features of a service',
        tags: ['features'],
        body: ReadBody,
        response: { 200: ReadResponse, ...problems },
      },
      validatorCompiler: () => () => true,
      serializerCompiler: () => JSON.stringify,
    },
    async (request, reply) => {
      const { service, rows, layout } = parseReadBody(request.body);
      return sendFeatures(request, reply, layout, () =>
        dataPlane.readFeatures(service, rows, scopeOf(request, defaults)),
      );
    },
  );
  app.post<{ Params: { source: string }; Body: { rows: unknown[] } }>(
    '/v1/sources/:source/push',
    {
      config: { role: 'write' },
      schema: {
        summary: 'Push events into a source',
        tags: ['features'],
        params: SourceParams,
        body: PushBody,
        response: { 200: PushResponse, ...problems },
      },
    },
    async (request) => {
      const { params, body } = request;
      return ingestPlane.push(params.source, body.rows, idempotencyKeyOf(request), scopeOf(request, defaults));
    },
  );
}

/** As `/v1/features/read`, and it takes rows in Arrow, too. */
export function addServiceReadRoute(app: FastifyInstance, dataPlane: DataPlane, defaults: RequestDefaults): void {
  app.post<{ Params: { service: string } }>(
    '/v1/services/:service/read',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Read features of a service, named in the path',
        tags: ['features'],
        params: ServiceParams,
        body: ServiceReadBody,
        response: { 200: ReadResponse, ...problems },
      },
      validatorCompiler: () => () => true,
      serializerCompiler: () => JSON.stringify,
    },
    async (request, reply) => {
      const { body, params } = request;
      const { rows, layout } = isSentRows(body) ? { rows: body, layout: 'rows' as const } : parseServiceReadBody(body);
      return sendFeatures(request, reply, layout, () =>
        dataPlane.readFeatures(params.service, rows, scopeOf(request, defaults)),
      );
    },
  );
}

/** In the form that the request wants. What it asks is checked before anything is read. */
async function sendFeatures(
  request: FastifyRequest,
  reply: FastifyReply,
  layout: Layout,
  read: () => Promise<FeaturesRead>,
): Promise<FastifyReply> {
  if (!wantsArrow(request))
    return reply.header('content-type', JSON_TYPE).send((await read()).toJson(layout, request.int64));
  const { statuses, event_times } = queryFlags(request.query, ['statuses', 'event_times']);
  const { writeFeatures } = await loadArrow();
  const columns = { hasStatuses: statuses, hasEventTimes: event_times };
  return reply.header('content-type', ARROW_TYPE).send(writeFeatures(await read(), columns));
}
