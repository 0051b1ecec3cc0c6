// Endpoints over HTTP: what they serve, their traffic (with ETags, so two operators can't overwrite each other), and the
// outcomes of their predictions.

import type { FastifyInstance, FastifyReply } from 'fastify';
import type { EndpointState, Traffic } from '../../registry/index.ts';
import type { DataPlane, OutcomeInput } from '../data-plane.ts';
import {
  EndpointParams,
  EndpointResponse,
  EndpointsResponse,
  OutcomesBody,
  OutcomesResponse,
  ProblemResponse,
  TrafficBody,
} from './schemas.ts';
import { reasonOf } from './security/reason-header.ts';

const problems = { '4xx': ProblemResponse, '5xx': ProblemResponse };
const tags = ['endpoints'];

export function addEndpointRoutes(app: FastifyInstance, dataPlane: DataPlane): void {
  app.get(
    '/v1/endpoints',
    {
      config: { role: 'read' },
      schema: { summary: 'List endpoints', tags, response: { 200: EndpointsResponse, ...problems } },
    },
    async () => ({
      endpoints: (await dataPlane.endpoints()).map(present),
    }),
  );
  app.get<{ Params: { endpoint: string } }>(
    '/v1/endpoints/:endpoint',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Show an endpoint; its ETag is what PUT takes in If-Match',
        tags,
        params: EndpointParams,
        response: { 200: EndpointResponse, ...problems },
      },
    },
    async (request, reply) => sendEndpoint(reply, await dataPlane.endpoint(request.params.endpoint)),
  );
  app.put<{ Params: { endpoint: string }; Body: Traffic }>(
    '/v1/endpoints/:endpoint',
    {
      config: { role: 'admin', changes: 'endpoint.traffic' },
      schema: {
        summary: 'Set the traffic: weights sum to 100',
        tags,
        params: EndpointParams,
        body: TrafficBody,
        headers: {
          type: 'object',
          properties: {
            'if-match': { type: 'string' },
            'x-reason': { type: 'string', description: 'Why; the audit log keeps it' },
          },
        },
        response: { 200: EndpointResponse, ...problems },
      },
    },
    async (request, reply) => {
      const ifMatch = request.headers['if-match'];
      const reason = reasonOf(request);
      const state = await dataPlane.setTraffic(request.params.endpoint, request.body, {
        actor: request.actor.name,
        ...(reason === undefined ? {} : { reason }),
        ...(ifMatch === undefined ? {} : { ifMatch }),
      });
      return sendEndpoint(reply, state);
    },
  );
  app.post<{ Params: { endpoint: string }; Body: { outcomes: OutcomeInput[] } }>(
    '/v1/endpoints/:endpoint/outcomes',
    {
      config: { role: 'write' },
      schema: {
        summary: 'Tell what became of predictions; idempotent by prediction id',
        tags,
        params: EndpointParams,
        body: OutcomesBody,
        response: { 200: OutcomesResponse, ...problems },
      },
    },
    async (request) => ({ accepted: await dataPlane.recordOutcomes(request.params.endpoint, request.body.outcomes) }),
  );
}

function sendEndpoint(reply: FastifyReply, state: EndpointState): FastifyReply {
  return reply.header('etag', state.etag).send(present(state));
}

function present({ name, model, unit, variants, shadows, revision }: EndpointState): object {
  return { name, model, unit, variants, shadows, revision };
}
