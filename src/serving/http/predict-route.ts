// POST /v1/endpoints/{endpoint}/predict as a route: whatever comes, however it comes. What comes as nearly all do is answered
// without it (quick-predict.ts).

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { HeadraceError, Scope } from '../../core/index.ts';
import type { DataPlane } from '../data-plane.ts';
import { FORCED_HEADER } from '../forced-route.ts';
import { JSON_TYPE } from './json-type.ts';
import { ARROW_TYPE, loadArrow, wantsArrow } from './arrow-form.ts';
import { answerPredict, type PredictBodyOptions, WRITE_JSON, type WriteAnswer } from './predict-answer.ts';
import { rowProblem, sendProblem } from './problem.ts';
import { queryFlags } from './query-flags.ts';
import { type RequestDefaults, scopeOf } from './request-context.ts';
import { loggedRequest, type RequestLog } from './request-log.ts';
import { EndpointParams, PredictBody, PredictResponse, problems } from './schemas.ts';

export const PREDICT_URL = '/v1/endpoints/:endpoint/predict';

export function addPredictRoute(
  app: FastifyInstance,
  dataPlane: DataPlane,
  defaults: RequestDefaults,
  log: RequestLog,
): void {
  const schema = {
    summary: 'Predict',
    tags: ['predict'],
    params: EndpointParams,
    body: PredictBody,
    response: { 200: PredictResponse, ...problems },
  };
  // Inputs are checked against the endpoint's own columns, with better words than a schema's.
  app.post(
    PREDICT_URL,
    {
      schema,
      config: { role: 'predict' },
      validatorCompiler: () => () => true,
      serializerCompiler: () => JSON.stringify,
    },
    (request, reply) => {
      // The route's own parameter, always there.
      const { endpoint } = request.params as { endpoint: string };
      const tell = (errors: readonly HeadraceError[]) => log.rowsFailed(() => loggedRequest(request), errors);
      const claim = () => scopeOf(request, defaults);
      const isArrow = wantsArrow(request);
      const answered = isArrow
        ? answerInArrow(dataPlane, endpoint, request, claim, tell)
        : answerPredict(
            dataPlane,
            endpoint,
            request.body,
            claim,
            tell,
            WRITE_JSON[request.int64],
            () => sentOptions(request),
            forcedBy(request),
          );
      answered.then(
        (answer) => void reply.header('content-type', isArrow ? ARROW_TYPE : JSON_TYPE).send(answer),
        (thrown: unknown) => void sendProblem(reply, request, thrown, log),
      );
    },
  );
}

async function answerInArrow(
  dataPlane: DataPlane,
  endpoint: string,
  request: FastifyRequest,
  claim: () => Scope,
  tellRows: (errors: readonly HeadraceError[]) => void,
): Promise<Buffer> {
  const { writePredictions } = await loadArrow();
  const { int64 } = request;
  const write: WriteAnswer<Buffer> = (answer, returnsFeatures, actor) => {
    const tell = (error: HeadraceError, place: number): object => rowProblem(error, `inputs[${place}]`, actor);
    return writePredictions(answer, { returnsFeatures, int64, tell });
  };
  const sent = (): PredictBodyOptions => sentOptions(request);
  return answerPredict(dataPlane, endpoint, request.body, claim, tellRows, write, sent, forcedBy(request));
}

/** Name of the arm that it asks for. */
function forcedBy({ headers }: FastifyRequest): string | undefined {
  const name = headers[FORCED_HEADER];
  // Node joins those that come twice; only cookies are a list.
  return typeof name === 'string' ? name : undefined;
}

/** What JSON has in its `options`, of a body that is rows alone. */
function sentOptions({ query }: FastifyRequest): PredictBodyOptions {
  const flags = queryFlags(query, ['partial', 'return_features', 'return_timings']);
  return {
    isPartial: flags.partial,
    returnsFeatures: flags.return_features,
    returnsTimings: flags.return_timings,
  };
}
