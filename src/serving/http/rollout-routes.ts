// Rollouts over HTTP: started, looked at, and what people do with them. If-Match with the ETag of what one saw keeps two
// operators from undoing each other.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { withoutKeySecrets } from '../../core/index.ts';
import {
  type Operator,
  presentRollout,
  readAsked,
  rolloutEtag,
  type Rollouts,
  type ShownRollout,
  type Verb,
} from '../../rollouts/index.ts';
import { orNull } from './or-null.ts';
import { problems } from './schemas.ts';
import { reasonOf } from './security/reason-header.ts';
import { refuseOtherEndpoint } from './security/refuse-endpoint.ts';

const tags = ['rollouts'];
const Time = Type.String({ maxLength: 40, description: 'Such as `10m` or `1h30m`' });
const Reason = Type.Optional(
  Type.String({ maxLength: 500, description: 'Why; kept in its history and the audit log' }),
);

const StartBody = Type.Object(
  {
    endpoint: Type.String(),
    candidate: Type.Union([Type.Integer({ minimum: 1 }), Type.String({ minLength: 1, maxLength: 64 })], {
      description: 'A version, an alias or `latest`',
    }),
    plan: Type.Optional(Type.String({ description: 'Of the applied definitions; the endpoint’s when left out' })),
    steps: Type.Optional(Type.Array(Type.Number(), { description: 'Percent, rising; the last is 100' })),
    hold: Type.Optional(Time),
    warmup: Type.Optional(Time),
    min_units: Type.Optional(Type.Integer({ minimum: 0 })),
    max_hold: Type.Optional(Time),
    guards: Type.Optional(
      Type.Array(Type.String({ maxLength: 200 }), { description: '`error_rate<0.01` or `error_rate<+20%`' }),
    ),
    on_blind: Type.Optional(Type.Enum(['hold', 'rollback'])),
    maturity: Type.Optional(Time),
    watch: Type.Optional(Time),
    cooldown: Type.Optional(Time),
    bake: Type.Optional(Time),
    force: Type.Optional(Type.Boolean({ description: 'Although the version was rolled back lately' })),
    reason: Reason,
  },
  { additionalProperties: false },
);
const VerbBody = orNull(Type.Object({ reason: Reason }, { additionalProperties: false }));
const Params = Type.Object({ id: Type.String() });
const Query = Type.Object({ endpoint: Type.Optional(Type.String()) }, { additionalProperties: false });
const reasonHeader = { 'x-reason': { type: 'string', description: 'Why; its history and the audit log keep it' } };
/** Who starts one has seen none yet. */
const StartHeaders = { type: 'object', properties: reasonHeader };
const Headers = { type: 'object', properties: { 'if-match': { type: 'string' }, ...reasonHeader } };

const RolloutResponse = Type.Object({
  id: Type.String(),
  endpoint: Type.String(),
  candidate: Type.Integer(),
  state: Type.String(),
  step: Type.Integer({ description: 'From 1; 0 before the first' }),
  weights: Type.Record(Type.String(), Type.Number(), { description: 'Percent by variant' }),
  reason: orNull(Type.String()),
  guardrails: Type.Array(
    Type.Object({
      metric: Type.String(),
      verdict: Type.Enum(['healthy', 'breached', 'undecided', 'blind']),
      limit: Type.Union([Type.Number(), Type.String(), Type.Null()]),
      value: orNull(Type.Number()),
      evidence: Type.Object({}, { additionalProperties: true }),
    }),
  ),
  history: Type.Array(
    Type.Object({
      at: Type.String(),
      from: orNull(Type.String()),
      to: Type.String(),
      reason: orNull(Type.String()),
      actor: Type.String(),
    }),
  ),
});
const RolloutsResponse = Type.Object({ rollouts: Type.Array(RolloutResponse) });

const VERBS: Readonly<Record<Verb, string>> = {
  pause: 'Pause a rollout: nothing moves it until it is resumed',
  resume: 'Go on from where it was paused',
  promote: 'Give the candidate all traffic; past a breach it takes the role admin',
  abort: 'Give stable all traffic back, and end the rollout',
};

/** `open`: rollouts of the server's registry. */
export function addRolloutRoutes(app: FastifyInstance, open: () => Promise<Rollouts>): void {
  app.post<{ Body: Static<typeof StartBody> }>(
    '/v1/rollouts',
    {
      config: { role: 'experiment', changes: 'rollout.start' },
      schema: {
        summary: 'Start a rollout of a version: step by step, as long as the guards hold',
        tags,
        body: StartBody,
        headers: StartHeaders,
        response: { 201: RolloutResponse, ...problems },
      },
    },
    async (request, reply) => {
      const { reason, ...asked } = request.body;
      refuseOtherEndpoint(request.actor, asked.endpoint);
      const shown = await (await open()).start(readAsked(asked), operatorOf(request, reason));
      return send(reply.code(201).header('location', `/v1/rollouts/${shown.rollout.id}`), shown);
    },
  );
  app.get<{ Querystring: Static<typeof Query> }>(
    '/v1/rollouts',
    {
      config: { role: 'read' },
      schema: {
        summary: 'List rollouts, the newest first; 100 at most',
        tags,
        querystring: Query,
        response: { 200: RolloutsResponse, ...problems },
      },
    },
    async ({ query, actor }) => {
      if (query.endpoint !== undefined) refuseOtherEndpoint(actor, query.endpoint);
      const found = await (await open()).list({ ...query, endpoints: actor.endpoints ?? undefined });
      return { rollouts: found.map(presentRollout) };
    },
  );
  app.get<{ Params: Static<typeof Params> }>(
    '/v1/rollouts/:id',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Show a rollout; its ETag is what changes of it take in If-Match',
        tags,
        params: Params,
        response: { 200: RolloutResponse, ...problems },
      },
    },
    async ({ params, actor }, reply) => send(reply, await (await open()).get(params.id, actor.endpoints ?? undefined)),
  );
  // Each of them is a word of `Verb`.
  for (const verb of Object.keys(VERBS) as Verb[]) addVerbRoute(app, open, verb);
}

function addVerbRoute(app: FastifyInstance, open: () => Promise<Rollouts>, verb: Verb): void {
  app.post<{ Params: Static<typeof Params>; Body: { reason?: string } | null | undefined }>(
    `/v1/rollouts/:id/${verb}`,
    {
      config: { role: 'experiment', changes: `rollout.${verb}` },
      schema: {
        summary: VERBS[verb],
        tags,
        params: Params,
        body: VerbBody,
        headers: Headers,
        response: { 200: RolloutResponse, ...problems },
      },
    },
    async (request, reply) => {
      const rollouts = await open();
      const { rollout } = await rollouts.get(request.params.id, request.actor.endpoints ?? undefined);
      return send(reply, await rollouts[verb](rollout.id, operatorOf(request, request.body?.reason)));
    },
  );
}

function operatorOf(request: FastifyRequest, said: string | undefined): Operator {
  const { actor, headers } = request;
  const reason = said === undefined || said.trim() === '' ? reasonOf(request) : withoutKeySecrets(said);
  const ifMatch = headers['if-match'];
  return {
    actor: actor.name,
    isAdmin: actor.roles.has('admin'),
    ...(reason === undefined ? {} : { reason }),
    ...(ifMatch === undefined ? {} : { ifMatch }),
  };
}

function send(reply: FastifyReply, shown: ShownRollout): FastifyReply {
  return reply.header('etag', rolloutEtag(shown.rollout)).send(presentRollout(shown));
}
