// Alerts over HTTP, as a list and for the stream.

import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { type Alerts, presentAlert } from '../../monitoring/index.ts';
import type { LiveAlerts } from './live-stats.ts';
import { orNull } from './or-null.ts';
import { problems } from './schemas.ts';
import { refuseOtherEndpoint } from './security/refuse-endpoint.ts';

/** Given by the composition root. */
export type AlertsRead = Pick<Alerts, 'list'>;

const AlertQuery = Type.Object(
  {
    state: Type.Optional(Type.Union([Type.Literal('open'), Type.Literal('closed')])),
    rule: Type.Optional(Type.String()),
    endpoint: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

const nullableText = orNull(Type.String());

const AlertsResponse = Type.Object({
  alerts: Type.Array(
    Type.Object({
      id: Type.String(),
      rule: Type.String(),
      endpoint: nullableText,
      feature: nullableText,
      state: Type.Union([Type.Literal('open'), Type.Literal('closed')]),
      opened_at: Type.String(),
      closed_at: nullableText,
      evidence: Type.Unknown({ description: 'Of the window that fired last: figures, rows, from when to when' }),
      silenced_until: Type.Optional(Type.String()),
    }),
  ),
});

export function addAlertRoutes(app: FastifyInstance, alerts: AlertsRead): void {
  app.get<{ Querystring: { state?: 'open' | 'closed'; rule?: string; endpoint?: string } }>(
    '/v1/alerts',
    {
      config: { role: 'read' },
      schema: {
        summary: 'What is wrong by the monitors, or was in the last 90 days; the newest first, 1,000 at most',
        tags: ['monitoring'],
        querystring: AlertQuery,
        response: { 200: AlertsResponse, ...problems },
      },
    },
    async ({ query, actor }) => {
      if (query.endpoint !== undefined) refuseOtherEndpoint(actor, query.endpoint);
      const found = await alerts.list({ ...query, endpoints: actor.endpoints ?? undefined });
      return { alerts: found.map(presentAlert) };
    },
  );
}

/** One that closed is told to those who saw it open. */
export function liveAlerts(alerts: AlertsRead): LiveAlerts {
  return {
    async recent() {
      const found = await alerts.list({ limit: MOST_RECENT });
      return found.map((alert) => ({
        key: `${alert.id} ${alert.state}`,
        isOld: alert.state === 'closed',
        data: presentAlert(alert),
      }));
    },
  };
}

const MOST_RECENT = 200;
