// POST /v1/endpoints/{endpoint}/predict as a route: whatever comes, however it comes. What comes as nearly all do is answered
// without it (quick-predict.ts).

import type { FastifyInstance } from 'fastify';
import type { HeadraceError } from '../../core/index.ts';
import type { DataPlane } from '../data-plane.ts';
import { JSON_TYPE } from './json-type.ts';
import { answerPredict } from './predict-answer.ts';
import { sendProblem } from './problem.ts';
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
      answerPredict(dataPlane, endpoint, request.body, () => scopeOf(request, defaults), tell, request.int64).then(
        (text) => void reply.header('content-type', JSON_TYPE).send(text),
        (thrown: unknown) => void sendProblem(reply, request, thrown, log),
      );
    },
  );
}
