// The Open Inference Protocol v2 over HTTP, as Triton, KServe and MLServer have it: what is served, and inference. It translates.
// https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HeadraceError } from '../../../core/index.ts';
import type { BytesInFlight } from '../../bytes-in-flight.ts';
import type { InferencePlane } from '../../oip/inference-plane.ts';
import { HIDDEN } from '../flags/flag-key.ts';
import { fromHttp, sendProblem } from '../problem.ts';
import { type RequestDefaults, scopeOf } from '../request-context.ts';
import type { RequestLog } from '../request-log.ts';
import { mayUse } from '../security/gate.ts';
import { answerInfer, JSON_LENGTH_HEADER } from './answer-infer.ts';
import { addOipBody } from './oip-body.ts';
import { OIP_FORM } from './oip-form.ts';
import { EXTENSIONS, presentConfig, presentMetadata, presentStatistics } from './present.ts';
import { addRepositoryRoutes } from './repository-routes.ts';

export interface OipRoutesOptions extends RequestDefaults {
  readonly inference: InferencePlane;
  readonly log: RequestLog;
  readonly bodyLimitBytes: number;
  readonly bytes: BytesInFlight;
  readonly version: string;
}

/** The gate holds a key that is kept to some endpoints to that parameter: models are used by the same right. */
interface ModelParams {
  readonly endpoint: string;
  readonly version?: string;
}

export function addOipRoutes(scope: FastifyInstance, options: OipRoutesOptions): void {
  const { inference, log, version } = options;
  addOipBody(scope, options);
  scope.setErrorHandler((error, request, reply) => {
    const problem = fromHttp(error, request.headers['content-type']);
    const { endpoint } = (request.params ?? {}) as Partial<ModelParams>;
    // A body that could not be read; who may not use the model moves none of its figures.
    if (
      endpoint !== undefined &&
      request.routeOptions.url?.endsWith('/infer') === true &&
      mayUse(request.actor, 'predict', endpoint)
    )
      inference.refused(endpoint, problem);
    return sendProblem(reply, request, problem, log, OIP_FORM);
  });
  const open = { config: { role: 'open' as const }, schema: HIDDEN, exposeHeadRoute: true };
  const known = { config: { role: 'known' as const }, schema: HIDDEN };
  const read = { config: { role: 'read' as const }, schema: HIDDEN };
  const onlyIf = (reply: FastifyReply, isSo: boolean, name: 'live' | 'ready'): FastifyReply =>
    reply.code(isSo ? 200 : 503).send({ [name]: isSo });

  scope.get('/v2', known, (_request, reply) => reply.send({ name: 'headrace', version, extensions: EXTENSIONS }));
  scope.get('/v2/health/live', open, (_request, reply) => onlyIf(reply, true, 'live'));
  scope.get('/v2/health/ready', open, (_request, reply) => onlyIf(reply, inference.isReady(), 'ready'));
  for (const path of ['/v2/models/:endpoint', '/v2/models/:endpoint/versions/:version']) {
    scope.get<{ Params: ModelParams }>(path, known, ({ params }, reply) =>
      reply.send(presentMetadata(inference.metadata(params.endpoint, params.version))),
    );
    scope.get<{ Params: ModelParams }>(`${path}/ready`, known, ({ params }, reply) => {
      const isReady = inference.isModelReady(params.endpoint, params.version);
      const sentence = `model "${params.endpoint}" is not ready; the repository's index says why.`;
      if (!isReady) throw new HeadraceError('HR_MODEL_NOT_READY', sentence);
      return reply.send({ name: params.endpoint, ready: true });
    });
    scope.get<{ Params: ModelParams }>(`${path}/config`, read, ({ params }, reply) =>
      reply.send(presentConfig(inference.metadata(params.endpoint, params.version))),
    );
    scope.get<{ Params: ModelParams }>(`${path}/stats`, read, ({ params }, reply) =>
      reply.send({ model_stats: inference.statistics(params.endpoint, params.version).map(presentStatistics) }),
    );
    scope.post<{ Params: ModelParams }>(
      `${path}/infer`,
      { config: { role: 'predict' }, schema: HIDDEN },
      (request, reply) => {
        infer(request, reply, options).catch((thrown: unknown) => sendProblem(reply, request, thrown, log, OIP_FORM));
      },
    );
  }
  scope.get('/v2/models/stats', read, ({ actor }, reply) => {
    const seen = inference.statistics().filter(({ name }) => mayUse(actor, 'read', name));
    return reply.send({ model_stats: seen.map(presentStatistics) });
  });
  addRepositoryRoutes(scope, inference);
}

async function infer(
  request: FastifyRequest<{ Params: ModelParams }>,
  reply: FastifyReply,
  options: OipRoutesOptions,
): Promise<void> {
  const { params, headers } = request;
  const jsonLength = headers[JSON_LENGTH_HEADER];
  const sent = await answerInfer(
    options.inference,
    { model: params.endpoint, version: params.version },
    // The scope's parser gives nothing else; a request without a body has none.
    (request.body as Buffer | undefined) ?? Buffer.alloc(0),
    {
      // Node joins those that come twice, and a joined one is no number.
      jsonLength: jsonLength === undefined ? undefined : String(jsonLength),
      acceptEncoding: headers['accept-encoding']?.toString(),
    },
    () => scopeOf(request, options),
  );
  const { body } = sent;
  void reply.headers(sent.headers).send(typeof body === 'string' ? body : Buffer.concat(body));
}
