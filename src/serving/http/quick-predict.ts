// Predictions that come as nearly all do, answered on Node's own server: Fastify's routing, hooks and reply cost a fifth of
// such a request. Whatever is unusual about one, and whatever refuses it, is left to the route, which answers the same.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { HeadraceError, toHeadraceError } from '../../core/index.ts';
import type { BodyRoom, BytesInFlight } from '../bytes-in-flight.ts';
import type { DataPlane } from '../data-plane.ts';
import { FORCED_HEADER } from '../forced-route.ts';
import { parseJsonBody } from './json-body.ts';
import { JSON_TYPE } from './json-type.ts';
import { isNewest } from './node-socket.ts';
import { mayNameArrow } from './arrow-form.ts';
import { answerPredict, WRITE_JSON } from './predict-answer.ts';
import { writeProblem } from './problem.ts';
import { readWholeBody } from './read-whole-body.ts';
import { claimOf, type RequestDefaults } from './request-context.ts';
import type { LoggedRequest, RequestLog } from './request-log.ts';
import type { Gate } from './security/gate.ts';
import type { Known } from './security/key-ring.ts';
import { countHosts } from './security/request-form.ts';

export interface QuickPredict {
  readonly dataPlane: DataPlane;
  readonly gate: Gate;
  readonly defaults: RequestDefaults;
  readonly bodyLimitBytes: number;
  readonly bytes: BytesInFlight;
  readonly log: RequestLog;
  readonly requestId: (request: IncomingMessage) => string;
  /** The server is being closed: answers have to say so. */
  readonly isClosing: () => boolean;
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Takes its place before the listener that the server has. */
export function predictQuickly(server: Pick<Server, 'listeners' | 'removeListener' | 'on'>, parts: QuickPredict): void {
  // Fastify's own, the only one.
  const [slow] = server.listeners('request') as Listener[];
  if (slow === undefined) throw new Error('the server listens to no requests');
  server.removeListener('request', slow);
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { bodyLimitBytes: limitBytes, bytes } = parts;
    const endpoint = parts.isClosing() ? undefined : endpointOf(request, limitBytes, bytes);
    if (endpoint === undefined) return slow(request, response);
    const known = parts.gate.admit(request.headers, request.socket.remoteAddress ?? '', 'predict', endpoint);
    // The route asks again, and says why not.
    if (known === undefined) return slow(request, response);
    const room = bytes.open(request.socket);
    readWholeBody(request, { limitBytes, room }, (failure, body) => {
      answer(parts, request, response, endpoint, known, failure ?? body, room);
    });
  });
}

const PATH = /^\/v1\/endpoints\/([A-Za-z][\w-]*)\/predict$/;
/** As Fastify's check, for the header's usual forms. */
const JSON_BODY = /^application\/json(?:; ?charset=utf-8)?$/i;
const LENGTH = /^\d{1,15}$/;

/** Undefined for whatever is no plain prediction: then the route looks at it. */
function endpointOf(
  { method, url = '', headers, rawHeaders }: IncomingMessage,
  limit: number,
  bytes: BytesInFlight,
): string | undefined {
  if (method !== 'POST') return undefined;
  const endpoint = PATH.exec(url)?.[1];
  if (endpoint === undefined || rawHeaders.length > MOST_RAW_HEADERS) return undefined;
  const length = headers['content-length'];
  if (length === undefined || !LENGTH.test(length) || Number(length) > limit || Number(length) === 0) return undefined;
  if (!bytes.fits(Number(length))) return undefined;
  if (!JSON_BODY.test(headers['content-type'] ?? '')) return undefined;
  const isUnusual =
    headers['content-encoding'] !== undefined ||
    headers['transfer-encoding'] !== undefined ||
    headers['traceparent'] !== undefined ||
    headers['x-int64'] !== undefined ||
    headers[FORCED_HEADER] !== undefined ||
    mayNameArrow(headers.accept ?? '') ||
    headers.expect !== undefined ||
    headers.upgrade !== undefined ||
    countHosts(rawHeaders) !== 1;
  return isUnusual ? undefined : endpoint;
}

/** Names and values, far more than clients send; what has more is looked at by the route, which takes twice as many. */
const MOST_RAW_HEADERS = 100;

function answer(
  { dataPlane, defaults, log, requestId: idOf, isClosing }: QuickPredict,
  request: IncomingMessage,
  response: ServerResponse,
  endpoint: string,
  { actor }: Known,
  body: Buffer | HeadraceError,
  room: BodyRoom,
): void {
  const requestId = idOf(request);
  const logged = (): LoggedRequest => ({
    requestId,
    traceId: null,
    endpoint,
    actor: actor.name,
    method: 'POST',
    route: ROUTE,
  });
  const tellRows = (errors: readonly HeadraceError[]): void => log.rowsFailed(logged, errors);
  const tellEnd = (): void => {
    if (isClosing() && isNewest(request)) response.setHeader('connection', 'close');
  };
  const fail = (thrown: unknown): void => {
    room.release();
    const error = toHeadraceError(thrown);
    log.failed(logged, error);
    tellEnd();
    writeProblem(response, error, { requestId, actor });
  };
  if (body instanceof HeadraceError) {
    dataPlane.refused(endpoint, body);
    // Of one that broke off nobody waits for an answer.
    return request.destroyed ? room.release() : fail(body);
  }
  try {
    const scope = () => claimOf(request, { requestId, traceId: null, actor, span: undefined }, defaults);
    answerPredict(dataPlane, endpoint, parseJsonBody(body), scope, tellRows, WRITE_JSON.number).then((text) => {
      room.release();
      tellEnd();
      response.writeHead(200, {
        'x-request-id': requestId,
        'content-type': JSON_TYPE,
        'content-length': Buffer.byteLength(text),
      });
      response.end(text);
    }, fail);
  } catch (thrown) {
    dataPlane.refused(endpoint, thrown);
    fail(thrown);
  }
}

const ROUTE = '/v1/endpoints/{endpoint}/predict';
