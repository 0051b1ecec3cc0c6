// Experiments started, reweighed and stopped over HTTP, as the command line does it: the role `experiment`, at endpoints that the
// key is for.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { HeadraceError, withoutKeySecrets } from '../../core/index.ts';
import type { ExperimentChange, PresentedExperiment } from '../../rollouts/index.ts';
import { shownTo } from './experiment-access.ts';
import type { ServedExperiments } from './experiment-routes.ts';
import { orNull } from './or-null.ts';
import { reasonOf } from './security/reason-header.ts';

export interface ChangedExperiments {
  readonly experiments: Pick<ServedExperiments, 'start' | 'stop' | 'reweigh'>;
  /** Throws HR_UNKNOWN_EXPERIMENT of one that the actor does not see. */
  readonly seen: (actor: FastifyRequest['actor'], name: string) => Promise<PresentedExperiment>;
  /** What they answer with, by status. */
  readonly response: Readonly<Record<string, unknown>>;
}

const tags = ['experiments'];
const Params = Type.Object({ name: Type.String() });
const said = {
  reason: Type.Optional(
    Type.String({ maxLength: 500, description: 'Why; kept with the phase and in the audit log, as X-Reason is' }),
  ),
  override: Type.Optional(
    Type.Boolean({
      description: 'Although a rollout is under way, which goes on over the rest; needs a reason, and the role admin',
    }),
  ),
};
const closed = { additionalProperties: false } as const;
const ChangeBody = orNull(Type.Object(said, closed));
const WeightsBody = Type.Object(
  {
    weights: Type.Record(Type.String(), Type.Number({ minimum: 0, maximum: 100 }), {
      description: 'Percent of all units by arm; arms that are left out keep theirs',
    }),
    ...said,
  },
  closed,
);
const headers = {
  type: 'object',
  properties: { 'x-reason': { type: 'string', description: 'Why; the audit log keeps it' } },
} as const;

interface Said {
  readonly reason?: string;
  readonly override?: boolean;
}

const VERBS = {
  start: 'Start an experiment: a phase of a new seed, once every live server has its arms loaded',
  stop: 'Stop an experiment: its units get what the endpoint’s traffic says again',
} as const;

export function addExperimentChanges(app: FastifyInstance, { experiments, seen, response }: ChangedExperiments): void {
  for (const verb of ['start', 'stop'] as const) {
    app.post<{ Params: Static<typeof Params>; Body: Said | null | undefined }>(
      `/v1/experiments/:name/${verb}`,
      {
        config: { role: 'experiment', changes: `experiment.${verb}` },
        schema: { summary: VERBS[verb], tags, params: Params, body: ChangeBody, headers, response },
      },
      async (request) => {
        const { name } = await seen(request.actor, request.params.name);
        return shownTo(request.actor, await experiments[verb](name, changeBy(request, request.body ?? {})));
      },
    );
  }
  app.put<{ Params: Static<typeof Params>; Body: Static<typeof WeightsBody> }>(
    '/v1/experiments/:name/weights',
    {
      config: { role: 'experiment', changes: 'experiment.weights' },
      schema: {
        summary: 'Change the weights of arms: the next phase begins, and is analysed apart',
        tags,
        params: Params,
        body: WeightsBody,
        headers,
        response,
      },
    },
    async (request) => {
      const { name } = await seen(request.actor, request.params.name);
      const { weights, ...why } = request.body;
      return shownTo(request.actor, await experiments.reweigh(name, weights, changeBy(request, why)));
    },
  );
}

function changeBy(request: FastifyRequest, { reason: given = '', override = false }: Said): ExperimentChange {
  const { actor } = request;
  if (override && !actor.roles.has('admin'))
    throw new HeadraceError('HR_FORBIDDEN', `${actor.name} may not override a rollout: that takes the role admin.`);
  const reason = given.trim() === '' ? reasonOf(request) : withoutKeySecrets(given);
  return {
    actor: actor.name,
    override,
    ...(reason === undefined ? {} : { reason }),
    permit(endpoints) {
      const other = endpoints.find((endpoint) => actor.endpoints?.has(endpoint) === false);
      if (other !== undefined)
        throw new HeadraceError('HR_FORBIDDEN', `${actor.name} may not use endpoint "${other}" of the experiment.`);
    },
  };
}
