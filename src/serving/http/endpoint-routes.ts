// Endpoints over HTTP: what they serve, their traffic (with ETags, so two operators can't overwrite each other), and the
// outcomes of their predictions.

import type { FastifyInstance, FastifyReply } from 'fastify';
import type { TrafficRevision } from '../../registry/index.ts';
import type { ControlPlane, ServedEndpoint } from '../control-plane.ts';
import type { IngestPlane } from '../ingest-plane.ts';
import type { OutcomeInput } from '../outcome-inputs.ts';
import { type AskedTraffic, readTraffic } from './asked-traffic.ts';
import { presentEndpointHealth, timeOf } from './health-routes.ts';
import { type RequestDefaults, scopeOf } from './request-context.ts';
import {
  EndpointParams,
  EndpointResponse,
  EndpointsResponse,
  OutcomesBody,
  OutcomesResponse,
  problems,
  TrafficBody,
  TrafficChangeParams,
  TrafficChangeResponse,
  TrafficRevisionResponse,
} from './schemas.ts';
import { reasonOf } from './security/reason-header.ts';

const tags = ['endpoints'];

export function addEndpointRoutes(
  app: FastifyInstance,
  control: ControlPlane,
  ingest: IngestPlane,
  defaults: RequestDefaults,
): void {
  app.get(
    '/v1/endpoints',
    {
      config: { role: 'read' },
      schema: { summary: 'List endpoints', tags, response: { 200: EndpointsResponse, ...problems } },
    },
    async ({ actor }) => {
      const seen = (await control.endpoints()).filter(({ state }) => actor.endpoints?.has(state.name) !== false);
      return { endpoints: seen.map(present) };
    },
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
    async (request, reply) => sendEndpoint(reply, await control.endpoint(request.params.endpoint)),
  );
  addTrafficRoutes(app, control);
  app.post<{ Params: { endpoint: string }; Body: { outcomes: OutcomeInput[] } }>(
    '/v1/endpoints/:endpoint/outcomes',
    {
      config: { role: 'write' },
      schema: {
        summary: 'Tell what became of predictions, by id, or by unit and time; idempotent',
        tags,
        params: EndpointParams,
        body: OutcomesBody,
        response: { 200: OutcomesResponse, ...problems },
      },
    },
    async (request) => {
      const { params, body } = request;
      return { accepted: await ingest.recordOutcomes(params.endpoint, body.outcomes, scopeOf(request, defaults)) };
    },
  );
}

function addTrafficRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.put<{ Params: { endpoint: string }; Body: AskedTraffic & { readonly override?: boolean } }>(
    '/v1/endpoints/:endpoint',
    {
      config: { role: 'admin', changes: 'endpoint.traffic' },
      schema: {
        summary:
          'Set the traffic: weights sum to 100. Active once every live server has loaded it; answered once each serves it',
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
        response: { 200: EndpointResponse, 202: TrafficChangeResponse, ...problems },
      },
    },
    async (request, reply) => {
      const ifMatch = request.headers['if-match'];
      const reason = reasonOf(request);
      const { override = false, ...traffic } = request.body;
      const endpoint = await control.setTraffic(request.params.endpoint, readTraffic(traffic), {
        override,
        actor: request.actor.name,
        ...(ifMatch === undefined ? {} : { ifMatch }),
        ...(reason === undefined ? {} : { reason }),
      });
      const { waitsFor, state } = endpoint;
      const { change, name } = state;
      if (change?.state !== 'preparing') return sendEndpoint(reply, endpoint);
      const url = `/v1/endpoints/${encodeURIComponent(name)}/traffic/${change.revision}`;
      return reply
        .code(202)
        .header('location', url)
        .send(presentChange({ ...change, waitsFor }));
    },
  );
  app.get<{ Params: { endpoint: string; revision: string } }>(
    '/v1/endpoints/:endpoint/traffic/:revision',
    {
      config: { role: 'read' },
      schema: {
        summary: 'How far a change of traffic is that was answered with 202, and what became of earlier ones',
        tags,
        params: TrafficChangeParams,
        response: { 200: TrafficRevisionResponse, ...problems },
      },
    },
    async (request) => {
      const { endpoint, revision } = request.params;
      return presentRevision(await control.trafficRevision(endpoint, Number(revision)));
    },
  );
}

function sendEndpoint(reply: FastifyReply, endpoint: ServedEndpoint): FastifyReply {
  return reply.header('etag', endpoint.state.etag).send(present(endpoint));
}

function present({ state, waitsFor, health }: ServedEndpoint): object {
  const { name, model, unit, variants, shadows, experiments, rollout, revision, change } = state;
  const told = health === undefined ? {} : presentEndpointHealth(health);
  const isPreparing = change?.state === 'preparing';
  const asked =
    change === null || change.state === 'active'
      ? null
      : presentChange({ ...change, waitsFor: isPreparing ? waitsFor : [] });
  const waits_for = isPreparing ? [] : waitsFor;
  const ended = change?.state === 'active' ? change.endsRollout : undefined;
  const traffic = { variants, shadows, experiments, rollout, ...(ended && { ended_rollout: ended }), revision };
  return { name, model, unit, ...traffic, waits_for, ...told, change: asked };
}

interface ToldChange extends Omit<TrafficRevision, 'activeFromMicros' | 'activeUntilMicros' | 'waitsFor'> {
  readonly waitsFor: readonly string[] | null;
}

function presentChange(told: ToldChange): object {
  const { revision, state, variants, shadows, experiments, failures, waitsFor, askedMicros, reason, endsRollout } =
    told;
  const traffic = { variants, shadows, experiments };
  const ends = endsRollout === undefined ? {} : { ends_rollout: endsRollout };
  return { revision, state, ...traffic, failures, waits_for: waitsFor, asked_at: timeOf(askedMicros), reason, ...ends };
}

function presentRevision(told: TrafficRevision): object {
  return {
    ...presentChange(told),
    active_from: timeOf(told.activeFromMicros),
    active_until: timeOf(told.activeUntilMicros),
  };
}
