// Inference requests that come as nearly all do, answered on Node's own server, as predictions are (quick-predict.ts): whatever
// is unusual about one, and whatever refuses it before its body, is left to the route, which answers the same.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { HeadraceError, toHeadraceError } from '../../../core/index.ts';
import type { BodyRoom, BytesInFlight } from '../../bytes-in-flight.ts';
import type { InferencePlane } from '../../oip/inference-plane.ts';
import { isNewest } from '../node-socket.ts';
import { writeProblem } from '../problem.ts';
import { readWholeBody } from '../read-whole-body.ts';
import { claimOf, type RequestDefaults } from '../request-context.ts';
import type { LoggedRequest, RequestLog } from '../request-log.ts';
import type { Gate } from '../security/gate.ts';
import type { Known } from '../security/key-ring.ts';
import { countHosts } from '../security/request-form.ts';
import { type AskedModel, answerInfer, JSON_LENGTH_HEADER, lengthOfBody } from './answer-infer.ts';
import { OIP_FORM } from './oip-form.ts';

export interface QuickInfer {
  readonly inference: InferencePlane;
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
export function inferQuickly(server: Pick<Server, 'listeners' | 'removeListener' | 'on'>, parts: QuickInfer): void {
  const [slow] = server.listeners('request') as Listener[];
  if (slow === undefined) throw new Error('the server listens to no requests');
  server.removeListener('request', slow);
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { bodyLimitBytes: limitBytes, bytes } = parts;
    const asked = parts.isClosing() ? undefined : modelOf(request, limitBytes, bytes);
    if (asked === undefined) return slow(request, response);
    const known = parts.gate.admit(request.headers, request.socket.remoteAddress ?? '', 'predict', asked.model);
    // The route asks again, and says why not.
    if (known === undefined) return slow(request, response);
    const room = bytes.open(request.socket);
    const gapBytes = gapBefore(request.headers[JSON_LENGTH_HEADER]);
    readWholeBody(request, { limitBytes, room, gapBytes }, (failure, body) => {
      answer(parts, request, response, asked, known, failure ?? body, room);
    });
  });
}

const START = '/v2/models/';
const PATH = /^\/v2\/models\/([A-Za-z][\w.-]*)(?:\/versions\/([\w.-]+))?\/infer$/;
const LENGTH = /^\d{1,15}$/;
/** Names and values; what has more is looked at by the route. */
const MOST_RAW_HEADERS = 100;

/** So that the first tensor behind the JSON lies where an array of any type may begin. */
function gapBefore(jsonLength: string | string[] | undefined): number {
  const length = Number(jsonLength ?? 0);
  return Number.isSafeInteger(length) ? (8 - (length % 8)) % 8 : 0;
}

/** Undefined for whatever is no plain inference request: then the route looks at it. */
function modelOf(
  { method, url = '', headers, rawHeaders }: IncomingMessage,
  limit: number,
  bytes: BytesInFlight,
): AskedModel | undefined {
  if (method !== 'POST' || !url.startsWith(START) || rawHeaders.length > MOST_RAW_HEADERS) return undefined;
  const [, model, version] = PATH.exec(url) ?? [];
  if (model === undefined) return undefined;
  const length = headers['content-length'];
  if (length === undefined || !LENGTH.test(length) || Number(length) > limit || Number(length) === 0) return undefined;
  if (!bytes.fits(Number(length))) return undefined;
  const isUnusual =
    headers['content-encoding'] !== undefined ||
    headers['transfer-encoding'] !== undefined ||
    headers['traceparent'] !== undefined ||
    headers['x-int64'] !== undefined ||
    headers.expect !== undefined ||
    headers.upgrade !== undefined ||
    countHosts(rawHeaders) !== 1;
  return isUnusual ? undefined : { model, version };
}

function answer(
  { inference, defaults, log, requestId: idOf, isClosing }: QuickInfer,
  request: IncomingMessage,
  response: ServerResponse,
  asked: AskedModel,
  { actor }: Known,
  body: Buffer | HeadraceError,
  room: BodyRoom,
): void {
  const requestId = idOf(request);
  const { headers } = request;
  const logged = (): LoggedRequest => ({
    requestId,
    traceId: null,
    endpoint: asked.model,
    actor: actor.name,
    method: 'POST',
    route: asked.version === undefined ? ROUTE : VERSION_ROUTE,
  });
  const tellEnd = (): void => {
    if (isClosing() && isNewest(request)) response.setHeader('connection', 'close');
  };
  const fail = (thrown: unknown): void => {
    room.release();
    const error = toHeadraceError(thrown);
    log.failed(logged, error);
    tellEnd();
    writeProblem(response, error, { requestId, actor }, OIP_FORM);
  };
  if (body instanceof HeadraceError) {
    inference.refused(asked.model, body);
    // Of one that broke off nobody waits for an answer.
    return request.destroyed ? room.release() : fail(body);
  }
  const jsonLength = headers[JSON_LENGTH_HEADER];
  const sent = {
    jsonLength: jsonLength === undefined ? undefined : String(jsonLength),
    acceptEncoding: headers['accept-encoding']?.toString(),
  };
  const scope = () => claimOf(request, { requestId, traceId: null, actor, span: undefined }, defaults);
  answerInfer(inference, asked, body, sent, scope).then(({ headers: own, body: written }) => {
    room.release();
    tellEnd();
    response.writeHead(200, { 'x-request-id': requestId, ...own, 'content-length': lengthOfBody(written) });
    if (typeof written === 'string') return response.end(written);
    // As one write, with the headers.
    response.cork();
    for (const part of written) response.write(part);
    return response.end();
  }, fail);
}

const ROUTE = '/v2/models/{endpoint}/infer';
const VERSION_ROUTE = '/v2/models/{endpoint}/versions/{version}/infer';
