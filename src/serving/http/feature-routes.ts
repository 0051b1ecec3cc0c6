// Reading features and pushing events over HTTP.

import type { FastifyInstance } from 'fastify';
import type { DataPlane } from '../data-plane.ts';
import type { IngestPlane } from '../ingest-plane.ts';
import { JSON_TYPE } from './json-type.ts';
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
      const read = await dataPlane.readFeatures(service, rows, scopeOf(request, defaults));
      return reply.header('content-type', JSON_TYPE).send(read.toJson(layout, request.int64));
    },
  );
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
      const { rows, layout } = parseServiceReadBody(request.body);
      const read = await dataPlane.readFeatures(request.params.service, rows, scopeOf(request, defaults));
      return reply.header('content-type', JSON_TYPE).send(read.toJson(layout, request.int64));
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
