// Inference requests of the Open Inference Protocol, on the short way that most requests take.

import type { InferencePlane } from '../../oip/inference-plane.ts';
import type { QuickRoute } from '../quick-route.ts';
import { type AskedModel, answerInfer, JSON_LENGTH_HEADER, lengthOfBody, type SentAnswer } from './answer-infer.ts';
import { OIP_FORM } from './oip-form.ts';

const START = '/v2/models/';
const PATH = /^\/v2\/models\/([A-Za-z][\w.-]*)(?:\/versions\/([\w.-]+))?\/infer$/;
const ROUTE = '/v2/models/{endpoint}/infer';
const VERSION_ROUTE = '/v2/models/{endpoint}/versions/{version}/infer';

export function quickInfer(inference: InferencePlane): QuickRoute<AskedModel, SentAnswer> {
  return {
    askedOf({ url = '' }) {
      if (!url.startsWith(START)) return undefined;
      const [, model, version] = PATH.exec(url) ?? [];
      return model === undefined ? undefined : { model, version };
    },
    endpointOf: ({ model }) => model,
    routeOf: ({ version }) => (version === undefined ? ROUTE : VERSION_ROUTE),
    tensorsAtOf: ({ headers }) => lengthOf(headers[JSON_LENGTH_HEADER]),
    answer(asked, body, { headers }, scope) {
      const jsonLength = headers[JSON_LENGTH_HEADER];
      const sent = {
        jsonLength: jsonLength === undefined ? undefined : String(jsonLength),
        acceptEncoding: headers['accept-encoding']?.toString(),
      };
      return answerInfer(inference, asked, body, sent, scope);
    },
    write(response, requestId, { headers, body }) {
      response.writeHead(200, { 'x-request-id': requestId, ...headers, 'content-length': lengthOfBody(body) });
      if (typeof body === 'string') return void response.end(body);
      // As one write, with the headers.
      response.cork();
      for (const part of body) response.write(part);
      response.end();
    },
    refused: ({ model }, thrown) => inference.refused(model, thrown),
    form: OIP_FORM,
  };
}

/** Of the JSON, behind which tensors lie; undefined where there are none, or what it says can't be. */
function lengthOf(jsonLength: string | string[] | undefined): number | undefined {
  if (jsonLength === undefined) return undefined;
  const length = Number(jsonLength);
  return Number.isSafeInteger(length) ? length : undefined;
}
