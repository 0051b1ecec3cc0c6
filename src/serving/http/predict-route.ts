// POST /v1/endpoints/{endpoint}/predict: the hot route. The body is checked by parsers compiled per endpoint and the answer
// is written as text, so no schema is looked at per request.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { describe, invalid } from '../../core/index.ts';
import type { DataPlane } from '../data-plane.ts';
import type { PredictAnswer } from '../predict.ts';
import { sendProblem } from './problem.ts';
import { callerOf } from './request-context.ts';
import type { RequestLog } from './request-log.ts';
import { EndpointParams, PredictBody, PredictResponse, ProblemResponse } from './schemas.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

export function addPredictRoute(app: FastifyInstance, dataPlane: DataPlane, log: RequestLog): void {
  const schema = {
    summary: 'Predict',
    tags: ['predict'],
    params: EndpointParams,
    body: PredictBody,
    response: { 200: PredictResponse, '4xx': ProblemResponse, '5xx': ProblemResponse },
  };
  // Inputs are checked against the endpoint's own columns, with better words than a schema's.
  app.post(
    '/v1/endpoints/:endpoint/predict',
    { schema, validatorCompiler: () => () => true, serializerCompiler: () => JSON.stringify },
    (request, reply) => {
      answer(dataPlane, request).then(
        (text) => void reply.header('content-type', JSON_TYPE).send(text),
        (thrown: unknown) => void sendProblem(reply, request, thrown, log),
      );
    },
  );
}

async function answer(dataPlane: DataPlane, request: FastifyRequest): Promise<string> {
  // The route's own parameter, always there.
  const { endpoint } = request.params as { endpoint: string };
  const body: unknown = request.body;
  if (body === null || typeof body !== 'object' || Array.isArray(body))
    throw invalid([{ path: 'body', message: `expected an object, got ${describe(body)}` }]);
  const { inputs, options } = body as { readonly inputs?: unknown; readonly options?: unknown };
  const returnsFeatures = options === undefined ? false : readOptions(options);
  return writeAnswer(await dataPlane.predict(endpoint, inputs, callerOf(request)), returnsFeatures);
}

function readOptions(options: unknown): boolean {
  if (options === null || typeof options !== 'object' || Array.isArray(options))
    throw invalid([{ path: 'options', message: `expected an object, got ${describe(options)}` }]);
  const { return_features: returnsFeatures, ...others } = options as { readonly return_features?: unknown };
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw invalid([{ path: `options.${unknown}`, message: 'is not a known option; there is return_features' }]);
  if (returnsFeatures !== undefined && typeof returnsFeatures !== 'boolean') {
    throw invalid([
      { path: 'options.return_features', message: `expected true or false, got ${describe(returnsFeatures)}` },
    ]);
  }
  return returnsFeatures === true;
}

function writeAnswer({ plan, rows }: PredictAnswer, returnsFeatures: boolean): string {
  let text = plan.answerStart;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as PredictAnswer['rows'][number];
    text += `${i === 0 ? '' : ','}{"prediction_id":"${row.id}","outputs":${row.variant.writeOutputs(row.outputs)}${row.variant.answerPart}`;
    if (returnsFeatures)
      text += `,"features":${row.variant.write.features(row.features.values)},"statuses":${row.variant.write.statuses(row.features.statuses)}`;
    text += '}';
  }
  return `${text}]}`;
}
