// What was counted, as series over time.

import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { describeMistake, type ErrorDetail, invalid, type Micros, parseTimestamp } from '../../core/index.ts';
import { presentHistory, type ReadHistory } from '../../monitoring/index.ts';
import { orNull } from './or-null.ts';
import { problems } from './schemas.ts';
import { refuseOtherEndpoint } from './security/refuse-endpoint.ts';

const step = Type.Union([Type.Literal('minute'), Type.Literal('hour')]);

const HistoryQuery = Type.Object(
  {
    endpoint: Type.Optional(Type.String({ description: 'Of one alone' })),
    arm: Type.Optional(Type.String({ description: 'Of one variant, or `experiment/arm`' })),
    view: Type.Optional(Type.String({ description: 'Of one alone' })),
    from: Type.Optional(Type.String({ description: 'RFC 3339; an hour ago by the minute, a day ago by the hour' })),
    to: Type.Optional(Type.String({ description: 'RFC 3339; now when left out' })),
    step: Type.Optional(step),
  },
  { additionalProperties: false },
);

interface HistoryAsked {
  readonly endpoint?: string;
  readonly arm?: string;
  readonly view?: string;
  readonly from?: string;
  readonly to?: string;
  readonly step?: 'minute' | 'hour';
}

const HistoryResponse = Type.Object({
  step,
  from: Type.String(),
  to: Type.String(),
  series: Type.Array(
    Type.Object({
      endpoint: orNull(Type.String()),
      variant: orNull(Type.String()),
      service: orNull(Type.String()),
      view: orNull(Type.String()),
      version: Type.Unknown({ description: 'Of the model a number, of a view a text; null of neither' }),
      points: Type.Array(
        Type.Object(
          { at: Type.String() },
          {
            additionalProperties: true,
            description:
              'requests, rows, errors, refused, rejected, slow, nulls, breaker_opens, p50_ms, p90_ms, p99_ms; of a view freshness_seconds, coverage, uncovered_cuts',
          },
        ),
      ),
    }),
  ),
});

export function addHistoryRoute(app: FastifyInstance, read: ReadHistory): void {
  app.get<{ Querystring: HistoryAsked }>(
    '/v1/monitoring/history',
    {
      config: { role: 'read' },
      schema: {
        summary: 'What was counted by the minute (48 h) or by the hour (90 d): endpoints, their arms, services, views',
        tags: ['monitoring'],
        querystring: HistoryQuery,
        response: { 200: HistoryResponse, ...problems },
      },
    },
    async ({ query, actor }) => {
      const { endpoints } = actor;
      if (query.endpoint !== undefined) refuseOtherEndpoint(actor, query.endpoint);
      const { from, to } = readTimes(query);
      const maySee = endpoints === null ? undefined : (endpoint: string) => endpoints.has(endpoint);
      const { endpoint, arm, view, step: asked = 'minute' } = query;
      return presentHistory(await read({ endpoint, arm, view, from, to, step: asked, maySee }));
    },
  );
}

function readTimes(query: HistoryAsked): { readonly from: Micros | undefined; readonly to: Micros | undefined } {
  const mistakes: ErrorDetail[] = [];
  const read = (name: 'from' | 'to'): Micros | undefined => {
    const text = query[name];
    const at = text === undefined ? undefined : parseTimestamp(text);
    if (text !== undefined && at === undefined)
      mistakes.push({ path: `?${name}`, message: describeMistake({ kind: 'timestamp' }, text) });
    return at;
  };
  const times = { from: read('from'), to: read('to') };
  if (mistakes.length > 0) throw invalid(mistakes);
  return times;
}
