// OpenFeature's remote evaluation protocol (OFREP 0.2): flags are evaluated here, by the function that routes requests.
// https://github.com/open-feature/protocol/blob/main/service/openapi.yaml

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, HeadraceError, withoutKeySecrets } from '../../../core/index.ts';
import { evaluateFlag, type FlagEvaluation } from '../../flags/evaluate-flag.ts';
import type { ContextFault, FlagContext } from '../../flags/flag-context.ts';
import { type Flag, flagsOf } from '../../flags/flag.ts';
import { type IdleFlag, idleFlags } from '../../flags/idle-flags.ts';
import { etagged, sendEtagged } from '../etagged.ts';
import { JSON_TYPE } from '../json-type.ts';
import { fromHttp, type ProblemForm, sendProblem } from '../problem.ts';
import { HIDDEN } from './flag-key.ts';
import type { FlagRoutesOptions } from './growthbook-routes.ts';

const MALFORMED: ReadonlySet<string> = new Set<ErrorCode>([
  'HR_MALFORMED_JSON',
  'HR_UNSUPPORTED_MEDIA',
  'HR_TOO_LARGE',
]);

const FORM: ProblemForm = {
  type: JSON_TYPE,
  of({ code, detail, request_id }, { params }) {
    const errorCode = MALFORMED.has(code) ? 'PARSE_ERROR' : 'GENERAL';
    const { flag } = (params ?? {}) as { readonly flag?: string };
    const key = flag === undefined ? {} : { key: withoutKeySecrets(flag) };
    return { ...key, errorCode, errorDetails: detail, code, request_id };
  },
};

export function addOfrepRoutes(scope: FastifyInstance, { control, log }: FlagRoutesOptions): void {
  scope.setErrorHandler((error, request, reply) =>
    sendProblem(reply, request, fromHttp(error, request.headers['content-type']), log, FORM),
  );
  const flagsFor = ({ actor }: FastifyRequest): ReadonlyMap<string, Flag> =>
    flagsOf(control.flagPlans(), actor.endpoints);
  const idleFor = ({ actor }: FastifyRequest, flags: ReadonlyMap<string, Flag>): ReadonlyMap<string, IdleFlag> =>
    idleFlags(control.definitions().manifest, flags, actor.endpoints);
  const config = { role: 'read' } as const;
  scope.post<{ Params: { flag: string } }>(
    '/ofrep/v1/evaluate/flags/:flag',
    { config, schema: HIDDEN },
    (request, reply) => {
      const { flag: name } = request.params;
      const context = contextOf(request.body);
      if (context === undefined) return refuse(reply, { key: withoutKeySecrets(name), ...NO_CONTEXT });
      const flags = flagsFor(request);
      const flag = flags.get(name);
      if (flag === undefined) {
        const idle = idleFor(request, flags).get(name);
        if (idle === 'experiment') return reply.send(notRunning(name));
        if (idle === 'endpoint') throw notLoaded(name);
        const key = withoutKeySecrets(name);
        const errorDetails = `there is no endpoint and no experiment "${key.slice(0, 100)}".`;
        return reply.code(404).send({ key, errorCode: 'FLAG_NOT_FOUND', errorDetails });
      }
      const told = present(flag, evaluateFlag(flag, context));
      return 'errorCode' in told ? refuse(reply, told) : reply.send(told);
    },
  );
  scope.post('/ofrep/v1/evaluate/flags', { config, schema: HIDDEN }, (request, reply) => {
    const context = contextOf(request.body);
    if (context === undefined) return refuse(reply, NO_CONTEXT);
    const known = flagsFor(request);
    const flags = [
      ...Array.from(known.values(), (flag) => present(flag, evaluateFlag(flag, context))),
      ...Array.from(idleFor(request, known), ([name, idle]) =>
        idle === 'experiment'
          ? notRunning(name)
          : { key: name, errorCode: 'GENERAL', errorDetails: notLoaded(name).message },
      ),
    ];
    return sendEtagged(request, reply, etagged(JSON.stringify({ flags, metadata: {} }), JSON_TYPE));
  });
}

const NO_CONTEXT = {
  errorCode: 'INVALID_CONTEXT',
  errorDetails: 'expected { "context": { "targetingKey": "…", … } }',
} as const;

/** The caller's default counts. */
function notRunning(key: string): object {
  return { key, reason: 'DISABLED', value: null, metadata: { experiment: key } };
}

function notLoaded(name: string): HeadraceError {
  return new HeadraceError('HR_MODEL_NOT_READY', `endpoint "${name}" is not served here yet.`);
}

function refuse(reply: FastifyReply, fault: object): FastifyReply {
  return reply.code(400).send(fault);
}

/** Empty where there is none; undefined for what is no context. */
function contextOf(body: unknown): FlagContext | undefined {
  if (!isObject(body)) return undefined;
  const { context = {} } = body;
  return isObject(context) ? context : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function present({ name: key }: Flag, evaluation: FlagEvaluation | ContextFault): object {
  if (evaluation.errorCode !== undefined) return { key, ...evaluation };
  const { value, reason, metadata } = evaluation;
  return { key, reason, ...(value === null ? {} : { variant: value }), value, metadata };
}
