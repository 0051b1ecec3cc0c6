// Reading features and pushing events over HTTP.

import type { FastifyInstance, FastifyReply } from 'fastify';
import { stringifyJson } from '../../core/index.ts';
import type { DataPlane } from '../data-plane.ts';
import { idempotencyKeyOf } from './request-context.ts';
import {
  ProblemResponse,
  PushBody,
  PushResponse,
  ReadBody,
  ReadResponse,
  ServiceParams,
  ServiceReadBody,
  SourceParams,
} from './schemas.ts';

const problems = { '4xx': ProblemResponse, '5xx': ProblemResponse };

export function addFeatureRoutes(app: FastifyInstance, dataPlane: DataPlane): void {
  app.post<{ Body: { service: string; rows: unknown[] } }>(
    '/v1/features/read',
    {
      schema: {
        summary: 'Read features of a service',
        tags: ['features'],
        body: ReadBody,
        response: { 200: ReadResponse, ...problems },
      },
    },
    (request, reply) => answerRead(dataPlane, request.body.service, request.body, reply),
  );
  app.post<{ Params: { service: string }; Body: { rows: unknown[] } }>(
    '/v1/services/:service/read',
    {
      schema: {
        summary: 'Read features of a service, named in the path',
        tags: ['features'],
        params: ServiceParams,
        body: ServiceReadBody,
        response: { 200: ReadResponse, ...problems },
      },
    },
    (request, reply) => answerRead(dataPlane, request.params.service, request.body, reply),
  );
  app.post<{ Params: { source: string }; Body: { rows: unknown[] } }>(
    '/v1/sources/:source/push',
    {
      schema: {
        summary: 'Push events into a source',
        tags: ['features'],
        params: SourceParams,
        body: PushBody,
        response: { 200: PushResponse, ...problems },
      },
    },
    async (request) => dataPlane.push(request.params.source, request.body.rows, idempotencyKeyOf(request)),
  );
}

async function answerRead(
  dataPlane: DataPlane,
  service: string,
  { rows: asked }: { readonly rows: unknown[] },
  reply: FastifyReply,
): Promise<FastifyReply> {
  const rows = await dataPlane.readFeatures(service, asked);
  return reply.type('application/json; charset=utf-8').send(stringifyJson({ rows }));
}
