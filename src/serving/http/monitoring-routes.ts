// What monitors found of an endpoint, over HTTP.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { HeadraceError } from '../../core/index.ts';
import type { DriftReport } from '../../monitoring/index.ts';
import { problems } from './schemas.ts';
import { mayUse } from './security/gate.ts';

/** Given by the composition root. Each throws HR_UNKNOWN_ENDPOINT. */
export interface MonitoringReads {
  drift(
    endpoint: string,
    question: { readonly window?: 'hour' | 'day'; readonly limit?: number },
  ): Promise<DriftReport>;
}

const DriftQuery = Type.Object(
  {
    endpoint: Type.String(),
    window: Type.Optional(Type.Union([Type.Literal('hour'), Type.Literal('day')])),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$', description: 'Windows of each feature, 48' })),
  },
  { additionalProperties: false },
);

const tags = ['monitoring'];
const nullable = <T extends Type.TSchema>(type: T) => Type.Union([type, Type.Null()]);
const Arm = { variant: Type.String(), model: Type.String(), version: Type.Integer() };

const DriftResponse = Type.Object({
  endpoint: Type.String(),
  window: Type.String(),
  features: Type.Array(
    Type.Object({
      feature: Type.String(),
      kind: Type.Union([Type.Literal('feature'), Type.Literal('output')]),
      arm: Type.Object(Arm),
      state: Type.Union([Type.Literal('open'), Type.Literal('ok'), Type.Literal('no data')]),
      reference: nullable(Type.String({ description: 'The training set, or `first windows`' })),
      windows: Type.Array(
        Type.Object({
          from: Type.String(),
          to: Type.String(),
          rows: Type.Integer(),
          units: Type.Integer(),
          psi: nullable(Type.Number()),
          p: nullable(Type.Number({ description: 'Against what days of the training data have among each other' })),
          adjusted_p: nullable(Type.Number({ description: 'By Holm over the features of the window' })),
          missing: Type.Number({ description: 'Share of rows: NOT_FOUND, OUTSIDE_MAX_AGE, INVALID' }),
          null: Type.Number(),
          empty: Type.Number({ description: 'Share of rows: a window without a row' }),
          js: nullable(Type.Number({ description: 'Jensen and Shannon’s distance, base e' })),
          ks: nullable(Type.Number()),
          wasserstein: nullable(Type.Number()),
          chi2_p: nullable(Type.Number()),
          new_categories: Type.Array(Type.Object({ value: Type.String(), rows: Type.Number() })),
          under_way: Type.Optional(Type.Boolean()),
        }),
      ),
    }),
  ),
  arms: Type.Array(
    Type.Object({
      ...Arm,
      reference: nullable(Type.String()),
      lacks: nullable(Type.String()),
      checked_to: nullable(Type.String()),
      waiting_rows: Type.Integer(),
    }),
  ),
});

export function addMonitoringRoutes(app: FastifyInstance, reads: MonitoringReads): void {
  app.get<{ Querystring: { endpoint: string; window?: 'hour' | 'day'; limit?: string } }>(
    '/v1/monitoring/drift',
    {
      config: { role: 'read' },
      schema: {
        summary: 'How far an endpoint’s features and outputs have moved from the training data, window by window',
        tags,
        querystring: DriftQuery,
        response: { 200: DriftResponse, ...problems },
      },
    },
    async (request) => {
      const { endpoint, window, limit } = request.query;
      checkEndpoint(request, endpoint);
      return reads.drift(endpoint, {
        ...(window === undefined ? {} : { window }),
        ...(limit === undefined ? {} : { limit: Number(limit) }),
      });
    },
  );
}

/** The path names none, so the gate has not looked. */
function checkEndpoint({ actor }: FastifyRequest, endpoint: string): void {
  if (!mayUse(actor, 'read', endpoint))
    throw new HeadraceError('HR_FORBIDDEN', `${actor.name} may not use endpoint "${endpoint.slice(0, 100)}".`);
}
