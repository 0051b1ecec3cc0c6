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

const problems = { '4xx': ProblemResponse, '5xx': ProblemResponse };
const tags = ['endpoints'];

export function addEndpointRoutes(app: FastifyInstance, dataPlane: DataPlane): void {
  app.get(
    '/v1/endpoints',
    { schema: { summary: 'List endpoints', tags, response: { 200: EndpointsResponse, ...problems } } },
    async () => ({
      endpoints: (await dataPlane.endpoints()).map((state) => present(dataPlane, state)),
    }),
  );
  app.get<{ Params: { endpoint: string } }>(
    '/v1/endpoints/:endpoint',
    {
      schema: {
        summary: 'Show an endpoint; its ETag is what PUT takes in If-Match',
        tags,
        params: EndpointParams,
        response: { 200: EndpointResponse, ...problems },
      },
    },
    async (request, reply) => sendEndpoint(dataPlane, reply, await dataPlane.endpoint(request.params.endpoint)),
  );
  app.put<{ Params: { endpoint: string }; Body: Traffic }>(
    '/v1/endpoints/:endpoint',
    {
      schema: {
        summary: 'Set the traffic: weights sum to 100',
        tags,
        params: EndpointParams,
        body: TrafficBody,
        headers: { type: 'object', properties: { 'if-match': { type: 'string' } } },
        response: { 200: EndpointResponse, ...problems },
      },
    },
    async (request, reply) => {
      const ifMatch = request.headers['if-match'];
      const state = await dataPlane.setTraffic(request.params.endpoint, request.body, {
        actor: `http ${request.ip}`,
        ...(ifMatch === undefined ? {} : { ifMatch }),
      });
      return sendEndpoint(dataPlane, reply, state);
    },
  );
  app.post<{ Params: { endpoint: string }; Body: { outcomes: OutcomeInput[] } }>(
    '/v1/endpoints/:endpoint/outcomes',
    {
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

type Served = Pick<DataPlane, 'readiness'>;

function sendEndpoint(dataPlane: Served, reply: FastifyReply, state: EndpointState): FastifyReply {
  return reply.header('etag', state.etag).send(present(dataPlane, state));
}

/** What the registry says, and what this server serves of it. */
function present(dataPlane: Served, { name, model, unit, variants, shadows, revision }: EndpointState): object {
  const served = dataPlane.readiness().health.endpoints.find(({ endpoint }) => endpoint === name);
  const told = served === undefined ? {} : { state: served.state, served: served.served, reason: served.reason };
  return { name, model, unit, variants, shadows, revision, ...told };
}
