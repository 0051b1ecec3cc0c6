// What monitors found of an endpoint, over HTTP.

import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import {
  askedArms,
  type DriftReport,
  presentSkew,
  type QualityReport,
  type ShownArms,
  type SkewCheck,
} from '../../monitoring/index.ts';
import { orNull } from './or-null.ts';
import { problems } from './schemas.ts';
import { refuseOtherEndpoint } from './security/refuse-endpoint.ts';

/** Given by the composition root. Each throws HR_UNKNOWN_ENDPOINT; of an arm that never served there HR_INVALID. */
export interface MonitoringReads {
  drift(
    endpoint: string,
    question: { readonly window?: 'hour' | 'day'; readonly limit?: number; readonly shown: ShownArms },
  ): Promise<DriftReport>;
  quality(endpoint: string, question: { readonly days?: number; readonly shown: ShownArms }): Promise<QualityReport>;
  /** The newest first. */
  skew(endpoint: string, limit: number): Promise<readonly SkewCheck[]>;
}

const ArmName = Type.Optional(
  Type.String({
    description:
      'Of one variant, or `experiment/arm`, also one that serves no more; those that serve now, or did in the time that is shown, when left out',
  }),
);

const DriftQuery = Type.Object(
  {
    endpoint: Type.String(),
    arm: ArmName,
    window: Type.Optional(Type.Union([Type.Literal('hour'), Type.Literal('day')])),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$', description: 'Windows of each feature, 48' })),
  },
  { additionalProperties: false },
);

const tags = ['monitoring'];
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
      reference: orNull(Type.String({ description: 'The training set, or `first windows`' })),
      windows: Type.Array(
        Type.Object({
          from: Type.String(),
          to: Type.String(),
          rows: Type.Integer(),
          units: Type.Integer(),
          psi: orNull(Type.Number()),
          p: orNull(Type.Number({ description: 'Against what days of the training data have among each other' })),
          adjusted_p: orNull(Type.Number({ description: 'By Holm over the features of the window' })),
          missing: Type.Number({ description: 'Share of rows: NOT_FOUND, OUTSIDE_MAX_AGE, INVALID' }),
          null: Type.Number(),
          empty: Type.Number({ description: 'Share of rows: a window without a row' }),
          js: orNull(Type.Number({ description: 'Jensen and Shannon’s distance, base e' })),
          ks: orNull(Type.Number()),
          wasserstein: orNull(Type.Number()),
          chi2_p: orNull(Type.Number()),
          new_categories: Type.Array(Type.Object({ value: Type.String(), rows: Type.Number() })),
          under_way: Type.Optional(Type.Boolean()),
        }),
      ),
    }),
  ),
  arms: Type.Array(
    Type.Object({
      ...Arm,
      reference: orNull(Type.String()),
      lacks: orNull(Type.String()),
      checked_to: orNull(Type.String()),
      last_seen: orNull(Type.String({ description: 'The end of the last hour or day in which it answered' })),
      waiting_rows: Type.Integer(),
    }),
  ),
});

const QualityQuery = Type.Object(
  {
    endpoint: Type.String(),
    arm: ArmName,
    days: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$', description: 'Of each arm, 14' })),
  },
  { additionalProperties: false },
);

const figures = (names: readonly string[]) =>
  Type.Object(Object.fromEntries(names.map((name) => [name, Type.Optional(orNull(Type.Number()))])));

const QualityResponse = Type.Object({
  endpoint: Type.String(),
  arms: Type.Array(
    Type.Object({
      ...Arm,
      task: Type.Union([Type.Literal('chance'), Type.Literal('number'), Type.Literal('label')]),
      measured_at: Type.String(),
      days: Type.Array(
        Type.Object({
          day: Type.String(),
          rows: Type.Integer(),
          labelled: Type.Integer(),
          coverage: Type.Number({ description: 'Share of the rows whose outcome is known' }),
          figures: figures(['auc', 'log_loss', 'brier', 'calibration_error', 'accuracy', 'mae', 'rmse', 'bias']),
          estimated: orNull(figures(['auc', 'log_loss', 'brier', 'accuracy'])),
          calibration: Type.Array(
            Type.Object({
              from: Type.Number(),
              to: Type.Number(),
              rows: Type.Number(),
              mean_score: Type.Number(),
              mean_outcome: Type.Number(),
            }),
          ),
        }),
      ),
      coverage: Type.Array(
        Type.Object({
          age_from_seconds: Type.Number(),
          age_to_seconds: orNull(Type.Number()),
          rows: Type.Number(),
          labelled: Type.Number(),
          share: Type.Number(),
        }),
      ),
      segments: orNull(
        Type.Object({
          of: Type.String(),
          rows: Type.Number(),
          mean: Type.Number(),
          tested: Type.Integer(),
          worst: Type.Array(
            Type.Object({
              where: Type.Record(Type.String(), Type.String()),
              rows: Type.Number(),
              mean: Type.Number(),
              effect: Type.Number(),
              shrunk: Type.Number(),
              q: Type.Number(),
            }),
          ),
        }),
      ),
    }),
  ),
});

const SkewQuery = Type.Object(
  {
    endpoint: Type.String(),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$', description: 'The newest checks, 24' })),
  },
  { additionalProperties: false },
);

const SkewResponse = Type.Object({
  endpoint: Type.String(),
  checks: Type.Array(
    Type.Object({
      at: Type.String(),
      from: Type.String(),
      logged: Type.Integer(),
      checked: Type.Integer(),
      values: Type.Integer(),
      agreed: Type.Integer(),
      mismatches: Type.Array(
        Type.Object({
          feature: Type.String(),
          cause: Type.Union([Type.Literal('late data'), Type.Literal('code'), Type.Literal('unknown')]),
          count: Type.Integer(),
          examples: Type.Array(Type.Unknown()),
        }),
      ),
      not_comparable: Type.Array(Type.Object({ reason: Type.String(), values: Type.Integer() })),
    }),
  ),
});

const SHOWN_CHECKS = 24;

export function addMonitoringRoutes(app: FastifyInstance, reads: MonitoringReads): void {
  addQualityRoutes(app, reads);
  app.get<{ Querystring: { endpoint: string; arm?: string; window?: 'hour' | 'day'; limit?: string } }>(
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
      const { endpoint, arm, window, limit } = request.query;
      refuseOtherEndpoint(request.actor, endpoint);
      return reads.drift(endpoint, {
        shown: askedArms(arm),
        ...(window === undefined ? {} : { window }),
        ...(limit === undefined ? {} : { limit: Number(limit) }),
      });
    },
  );
}

function addQualityRoutes(app: FastifyInstance, reads: MonitoringReads): void {
  app.get<{ Querystring: { endpoint: string; arm?: string; days?: string } }>(
    '/v1/monitoring/quality',
    {
      config: { role: 'read' },
      schema: {
        summary:
          'How good an endpoint’s predictions were, by arm and day, as far as outcomes are known; its worst slices',
        tags,
        querystring: QualityQuery,
        response: { 200: QualityResponse, ...problems },
      },
    },
    async (request) => {
      const { endpoint, arm, days } = request.query;
      refuseOtherEndpoint(request.actor, endpoint);
      const shown = askedArms(arm);
      return reads.quality(endpoint, days === undefined ? { shown } : { shown, days: Number(days) });
    },
  );
  app.get<{ Querystring: { endpoint: string; limit?: string } }>(
    '/v1/monitoring/skew',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Samples of what was served, computed again as of then: what differs by feature, and why',
        tags,
        querystring: SkewQuery,
        response: { 200: SkewResponse, ...problems },
      },
    },
    async (request) => {
      const { endpoint, limit } = request.query;
      refuseOtherEndpoint(request.actor, endpoint);
      const checks = await reads.skew(endpoint, limit === undefined ? SHOWN_CHECKS : Number(limit));
      return { endpoint, checks: checks.map(presentSkew) };
    },
  );
}
