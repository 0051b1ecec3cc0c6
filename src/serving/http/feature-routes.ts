// Reading features and pushing events over HTTP.

import type { FastifyInstance } from 'fastify';
import { stringifyJson } from '../../core/index.ts';
import type { DataPlane } from '../data-plane.ts';
import { idempotencyKeyOf } from './request-context.ts';
import { ProblemResponse, PushBody, PushResponse, ReadBody, ReadResponse, SourceParams } from './schemas.ts';

const problems = { '4xx': ProblemResponse, '5xx': ProblemResponse };

export function addFeatureRoutes(app: FastifyInstance, dataPlane: DataPlane): void {
  app.post<{ Body: { service: string; rows: unknown[] } }>(
    '/v1/features/read',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Read features of a service',
        tags: ['features'],
        body: ReadBody,
        response: { 200: ReadResponse, ...problems },
      },
    },
    async (request, reply) => {
      const rows = await dataPlane.readFeatures(request.body.service, request.body.rows);
      return reply.type('application/json; charset=utf-8').send(stringifyJson({ rows }));
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
    async (request) => dataPlane.push(request.params.source, request.body.rows, idempotencyKeyOf(request)),
  );
}
