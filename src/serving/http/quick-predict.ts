// Predictions in JSON, on the short way that most requests take.

import type { DataPlane } from '../data-plane.ts';
import { FORCED_HEADER } from '../forced-route.ts';
import { mayNameArrow } from './arrow-form.ts';
import { parseJsonBody } from './json-body.ts';
import { JSON_TYPE } from './json-type.ts';
import { answerPredict, WRITE_JSON } from './predict-answer.ts';
import type { QuickRoute } from './quick-route.ts';

const PATH = /^\/v1\/endpoints\/([A-Za-z][\w-]*)\/predict$/;
/** As Fastify's check, for the header's usual forms. */
const JSON_BODY = /^application\/json(?:; ?charset=utf-8)?$/i;
const ROUTE = '/v1/endpoints/{endpoint}/predict';

/** Asks by an endpoint's name; gives the answer's text. */
export function quickPredict(dataPlane: DataPlane): QuickRoute<string, string> {
  return {
    askedOf({ url = '', headers }) {
      const endpoint = PATH.exec(url)?.[1];
      if (endpoint === undefined || !JSON_BODY.test(headers['content-type'] ?? '')) return undefined;
      return headers[FORCED_HEADER] !== undefined || mayNameArrow(headers.accept ?? '') ? undefined : endpoint;
    },
    endpointOf: (endpoint) => endpoint,
    routeOf: () => ROUTE,
    answer: (endpoint, body, _request, scope, tellRows) =>
      answerPredict(dataPlane, endpoint, parseJsonBody(body), scope, tellRows, WRITE_JSON.number),
    write(response, requestId, text) {
      response.writeHead(200, {
        'x-request-id': requestId,
        'content-type': JSON_TYPE,
        'content-length': Buffer.byteLength(text),
      });
      response.end(text);
    },
    refused: (endpoint, thrown) => dataPlane.refused(endpoint, thrown),
  };
}
