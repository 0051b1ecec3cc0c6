// POST /v1/endpoints/{endpoint}/predict: the hot route. The body is checked by parsers compiled per endpoint and the answer
// is written as text, so no schema is looked at per request.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { describe, invalid } from '../../core/index.ts';
import type { DataPlane } from '../data-plane.ts';
import type { PredictAnswer, PredictionRow } from '../predict.ts';
import { rowProblem, sendProblem } from './problem.ts';
import { type RequestDefaults, scopeOf } from './request-context.ts';
import type { RequestLog } from './request-log.ts';
import { EndpointParams, PredictBody, PredictResponse, ProblemResponse } from './schemas.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

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
    response: { 200: PredictResponse, '4xx': ProblemResponse, '5xx': ProblemResponse },
  };
  // Inputs are checked against the endpoint's own columns, with better words than a schema's.
  app.post(
    '/v1/endpoints/:endpoint/predict',
    {
      schema,
      config: { role: 'predict' },
      validatorCompiler: () => () => true,
      serializerCompiler: () => JSON.stringify,
    },
    (request, reply) => {
      answer(dataPlane, request, defaults).then(
        (text) => void reply.header('content-type', JSON_TYPE).send(text),
        (thrown: unknown) => void sendProblem(reply, request, thrown, log),
      );
    },
  );
}

async function answer(dataPlane: DataPlane, request: FastifyRequest, defaults: RequestDefaults): Promise<string> {
  // The route's own parameter, always there.
  const { endpoint } = request.params as { endpoint: string };
  const body: unknown = request.body;
  if (body === null || typeof body !== 'object' || Array.isArray(body))
    throw invalid([{ path: 'body', message: `expected an object, got ${describe(body)}` }]);
  const { inputs, options } = body as { readonly inputs?: unknown; readonly options?: unknown };
  const read = options === undefined ? NO_OPTIONS : readOptions(options);
  const scope = scopeOf(request, defaults);
  return writeAnswer(await dataPlane.predict(endpoint, inputs, read, scope), read.returnsFeatures);
}

interface Options {
  readonly isPartial: boolean;
  readonly returnsFeatures: boolean;
}

const NO_OPTIONS: Options = { isPartial: false, returnsFeatures: false };
const OPTIONS = new Map<string, keyof Options>([
  ['partial', 'isPartial'],
  ['return_features', 'returnsFeatures'],
]);

function readOptions(options: unknown): Options {
  if (options === null || typeof options !== 'object' || Array.isArray(options))
    throw invalid([{ path: 'options', message: `expected an object, got ${describe(options)}` }]);
  const read = { ...NO_OPTIONS };
  for (const [name, value] of Object.entries(options)) {
    const path = `options.${name}`;
    const known = OPTIONS.get(name);
    if (known === undefined) {
      const names = [...OPTIONS.keys()].join(' and ');
      throw invalid([{ path, message: `is not a known option; there are ${names}` }]);
    }
    if (typeof value !== 'boolean')
      throw invalid([{ path, message: `expected true or false, got ${describe(value)}` }]);
    read[known] = value;
  }
  return read;
}

function writeAnswer({ plan, rows }: PredictAnswer, returnsFeatures: boolean): string {
  let text = plan.answerStart;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as PredictionRow;
    if (i > 0) text += ',';
    text +=
      row.error === undefined
        ? row.arm.write.row(row.id, row.row, returnsFeatures)
        : JSON.stringify({ error: rowProblem(row.error, `inputs[${i}]`) });
  }
  return `${text}]}`;
}
