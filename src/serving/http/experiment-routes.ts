// Experiments over HTTP: how they stand, and what they came to.

import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { ExperimentChange, ExperimentReport, PresentedExperiment } from '../../rollouts/index.ts';
import { listFor, refuseReport, seenBy } from './experiment-access.ts';
import { addExperimentChanges } from './experiment-changes.ts';
import { orNull } from './or-null.ts';
import { problems } from './schemas.ts';

/** Given by the composition root. */
export interface ServedExperiments {
  list(): Promise<readonly PresentedExperiment[]>;
  get(name: string): Promise<PresentedExperiment>;
  report(name: string, phase: number | 'all' | undefined): Promise<ExperimentReport>;
  start(name: string, change: ExperimentChange): Promise<PresentedExperiment>;
  stop(name: string, change: ExperimentChange): Promise<PresentedExperiment>;
  reweigh(
    name: string,
    weights: Readonly<Record<string, number>>,
    change: ExperimentChange,
  ): Promise<PresentedExperiment>;
}

const number = orNull(Type.Number());
const text = orNull(Type.String());
const interval = (description: string) => Type.Array(number, { minItems: 2, maxItems: 2, description });

const effect = {
  estimate: number,
  se: number,
  p: number,
  fixed: interval('Of one look, at a time that was fixed before'),
  always: interval('Holds at every look at once; null before there are units enough'),
  always_p: number,
};
const Effect = Type.Object(effect);
const relativeEffect = {
  ...effect,
  always: interval('As the difference’s where `always_is_approximate` is false; else it may look surer than it is'),
  always_is_approximate: Type.Boolean({
    description: 'Values are neither winsorised nor true or false: verdicts go by the difference, and so should you',
  }),
};
const Report = Type.Object({
  name: Type.String(),
  phase: Type.Union([Type.Integer(), Type.Literal('all')]),
  state: Type.String(),
  plan: Type.String(),
  started_at: Type.String(),
  ended_at: text,
  made_at: Type.String(),
  snapshot: Type.String({ description: 'Of the rows that it was made of: late data gives another' }),
  alpha: Type.Number(),
  correction: Type.String(),
  control: Type.String(),
  decision: Type.String(),
  notes: Type.Array(Type.String()),
  arms: Type.Array(
    Type.Object({ name: Type.String(), version: Type.Integer(), weight: Type.Number(), units: Type.Number() }),
  ),
  dropped: Type.Object({ two_arms: Type.Number(), forced_rows: Type.Number(), rows_without_unit: Type.Number() }),
  srm: Type.Object({ p: number, e: Type.Number(), expected: Type.Array(Type.Number()), is_mismatch: Type.Boolean() }),
  metrics: Type.Array(
    Type.Object({
      name: Type.String(),
      role: Type.String(),
      kind: Type.String(),
      aggregate: text,
      direction: Type.String(),
      description: text,
      arms: Type.Array(Type.Object({ arm: Type.String(), units: Type.Number(), value: number, se: number })),
      comparisons: Type.Array(
        Type.Object({
          arm: Type.String(),
          difference: Effect,
          relative: orNull(Type.Object(relativeEffect)),
          cuped: orNull(Type.Object({ ...effect, theta: Type.Number(), variance_reduction: number })),
          adjusted_p: number,
          verdict: Type.String(),
        }),
      ),
    }),
  ),
  timeline: Type.Array(Type.Object({ at: Type.String(), units: Type.Array(Type.Number()) })),
});

const arms = Type.Array(
  Type.Object({ name: Type.String(), weight: Type.Number(), versions: Type.Record(Type.String(), Type.Integer()) }),
);
const names = Type.Array(Type.String());
const ExperimentResponse = Type.Object({
  name: Type.String(),
  state: Type.String(),
  phase: orNull(Type.Integer()),
  unit: names,
  control: text,
  plan: text,
  endpoints: Type.Array(Type.Object({ endpoint: Type.String(), state: Type.String() })),
  metrics: Type.Object({ goal: names, secondary: names, guardrail: names }),
  arms,
  phases: Type.Array(
    Type.Object({
      phase: Type.Integer(),
      state: Type.String(),
      seed: Type.String(),
      started_at: Type.String(),
      ended_at: text,
      actor: Type.String(),
      reason: text,
      ended_by: text,
      end_reason: text,
      arms,
    }),
  ),
  reads: Type.Array(Type.Object({ endpoint: Type.String(), metrics: names }), {
    description: 'Endpoints whose predictions and outcomes its reports are made of, and the metrics that read them',
  }),
  reports: Type.Optional(
    orNull(
      Type.Array(
        Type.Object({
          phase: Type.String(),
          snapshot: Type.String(),
          made_at: Type.String(),
          decision: Type.String(),
        }),
      ),
      { description: 'That were made, the newest first; null for a key that may not read them; left out in lists' },
    ),
  ),
});

const Named = Type.Object({ name: Type.String() });
const ReportQuery = Type.Object(
  { phase: Type.Optional(Type.String({ pattern: '^([1-9][0-9]{0,6}|all)$', description: 'A number, or all' })) },
  { additionalProperties: false },
);

export function addExperimentRoutes(app: FastifyInstance, experiments: ServedExperiments): void {
  app.get(
    '/v1/experiments',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Experiments: those that are defined, and those that ever ran',
        tags: ['experiments'],
        response: { 200: Type.Object({ experiments: Type.Array(ExperimentResponse) }), ...problems },
      },
    },
    async ({ actor }) => ({ experiments: await listFor(experiments, actor) }),
  );
  app.get<{ Params: { name: string } }>(
    '/v1/experiments/:name',
    {
      config: { role: 'read' },
      schema: {
        summary: 'An experiment: its arms, its endpoints, its phases and the reports that were made',
        tags: ['experiments'],
        params: Named,
        response: { 200: ExperimentResponse, ...problems },
      },
    },
    ({ params, actor }) => seenBy(experiments, actor, params.name),
  );
  app.get<{ Params: { name: string }; Querystring: { phase?: string } }>(
    '/v1/experiments/:name/report',
    {
      config: { role: 'read' },
      schema: {
        summary:
          'What an experiment came to, by what the log and the sources have by now; a key takes every endpoint that it reads',
        tags: ['experiments'],
        params: Named,
        querystring: ReportQuery,
        response: { 200: Report, ...problems },
      },
    },
    async ({ params, query, actor }) => {
      refuseReport(actor, await seenBy(experiments, actor, params.name));
      const { phase } = query;
      return experiments.report(params.name, phase === undefined || phase === 'all' ? phase : Number(phase));
    },
  );
  addExperimentChanges(app, {
    response: { 200: ExperimentResponse, ...problems },
    seen: (actor, name) => seenBy(experiments, actor, name),
    experiments,
  });
}
