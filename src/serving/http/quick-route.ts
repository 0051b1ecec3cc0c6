// Requests that come as nearly all do, answered on Node's own server: Fastify's routing, hooks and reply cost a fifth of
// such a request. Whatever is unusual about one, and whatever refuses it, is left to the route, which answers the same.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { HeadraceError, type Scope, toHeadraceError } from '../../core/index.ts';
import type { BodyRoom, BytesInFlight } from '../bytes-in-flight.ts';
import { isNewest } from './node-socket.ts';
import { type ProblemForm, writeProblem } from './problem.ts';
import { readWholeBody } from './read-whole-body.ts';
import { claimOf, type RequestDefaults } from './request-context.ts';
import type { LoggedRequest, RequestLog } from './request-log.ts';
import type { Gate } from './security/gate.ts';
import type { Known } from './security/key-ring.ts';
import { countHosts } from './security/request-form.ts';

export interface QuickParts {
  readonly gate: Gate;
  readonly defaults: RequestDefaults;
  readonly bodyLimitBytes: number;
  readonly bytes: BytesInFlight;
  readonly log: RequestLog;
  readonly requestId: (request: IncomingMessage) => string;
  /** The server is being closed: answers have to say so. */
  readonly isClosing: () => boolean;
}

/** One kind of POST that takes the role `predict`. */
export interface QuickRoute<Asked, Answer> {
  /** Undefined for another kind, and where its own headers make it unusual. */
  askedOf(request: IncomingMessage): Asked | undefined;
  endpointOf(asked: Asked): string;
  /** As the log has it. */
  routeOf(asked: Asked): string;
  /** See `readWholeBody`. */
  tensorsAtOf?(request: IncomingMessage): number | undefined;
  /** What it throws at once is counted as refused; what its promise rejects with it has counted itself. */
  answer(
    asked: Asked,
    body: Buffer,
    request: IncomingMessage,
    scope: () => Scope,
    tellRows: (errors: readonly HeadraceError[]) => void,
  ): Promise<Answer>;
  write(response: ServerResponse, requestId: string, answer: Answer): void;
  refused(asked: Asked, thrown: unknown): void;
  readonly form?: ProblemForm;
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Takes its place before the listener that the server has. */
export function answerQuickly<Asked, Answer>(
  server: Pick<Server, 'listeners' | 'removeListener' | 'on'>,
  parts: QuickParts,
  route: QuickRoute<Asked, Answer>,
): void {
  // Fastify's own, or that of another kind before it: the only one.
  const [slow] = server.listeners('request') as Listener[];
  if (slow === undefined) throw new Error('the server listens to no requests');
  server.removeListener('request', slow);
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { bodyLimitBytes: limitBytes, bytes, gate } = parts;
    const asked =
      request.method === 'POST' && !parts.isClosing() && request.rawHeaders.length <= MOST_RAW_HEADERS
        ? route.askedOf(request)
        : undefined;
    if (asked === undefined || !isUsual(request, limitBytes, bytes)) return slow(request, response);
    const known = gate.admit(request.headers, request.socket.remoteAddress ?? '', 'predict', route.endpointOf(asked));
    // The route asks again, and says why not.
    if (known === undefined) return slow(request, response);
    const room = bytes.open(request.socket);
    const tensorsAt = route.tensorsAtOf?.(request);
    readWholeBody(request, { limitBytes, room, tensorsAt }, (failure, body) => {
      answer(parts, route, request, response, asked, known, failure ?? body, room);
    });
  });
}

const LENGTH = /^\d{1,15}$/;
/** Names and values, far more than clients send; what has more is looked at by the route, which takes twice as many. */
const MOST_RAW_HEADERS = 100;

function isUsual({ headers, rawHeaders }: IncomingMessage, limit: number, bytes: BytesInFlight): boolean {
  const length = headers['content-length'];
  if (length === undefined || !LENGTH.test(length) || Number(length) > limit || Number(length) === 0) return false;
  if (!bytes.fits(Number(length))) return false;
  const isUnusual =
    headers['content-encoding'] !== undefined ||
    headers['transfer-encoding'] !== undefined ||
    headers['traceparent'] !== undefined ||
    headers['x-int64'] !== undefined ||
    headers.expect !== undefined ||
    headers.upgrade !== undefined ||
    countHosts(rawHeaders) !== 1;
  return !isUnusual;
}

function answer<Asked, Answer>(
  { defaults, log, requestId: idOf, isClosing }: QuickParts,
  route: QuickRoute<Asked, Answer>,
  request: IncomingMessage,
  response: ServerResponse,
  asked: Asked,
  { actor }: Known,
  body: Buffer | HeadraceError,
  room: BodyRoom,
): void {
  const requestId = idOf(request);
  const logged = (): LoggedRequest => ({
    requestId,
    traceId: null,
    endpoint: route.endpointOf(asked),
    actor: actor.name,
    method: 'POST',
    route: route.routeOf(asked),
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
    writeProblem(response, error, { requestId, actor }, route.form);
  };
  if (body instanceof HeadraceError) {
    route.refused(asked, body);
    // Of one that broke off nobody waits for an answer.
    return request.destroyed ? room.release() : fail(body);
  }
  const scope = (): Scope => claimOf(request, { requestId, traceId: null, actor, span: undefined }, defaults);
  try {
    route.answer(asked, body, request, scope, tellRows).then((answered) => {
      room.release();
      tellEnd();
      route.write(response, requestId, answered);
    }, fail);
  } catch (thrown) {
    route.refused(asked, thrown);
    fail(thrown);
  }
}
