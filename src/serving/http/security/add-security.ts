// The gate before every route of a server, and its routes' roles.

import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Actor, HeadraceError, toHeadraceError } from '../../../core/index.ts';
import { anonymous, type Gate, listed } from './gate.ts';
import type { Known } from './key-ring.ts';
import { malformed } from './request-form.ts';
import type { RouteRole } from './route-role.ts';
import type { Security } from './security.ts';

/** What a route takes that names no role. */
const UNSAID: RouteRole = 'admin';

/** Whom a request has to pass before anything else looks at it: sets its actor, and tells what refuses it, if anything. */
export type Guard = (request: FastifyRequest, reply: FastifyReply, done: (refusal?: Error) => void) => void;

export function createGuard({ gate }: Pick<Security, 'gate'>): Guard {
  return (request, reply, done) => {
    const refusal = malformed(request.raw);
    // Whether a body follows, and up to where, is not sure then.
    if (refusal !== undefined) return end(request, reply.header('connection', 'close'), refusal, done);
    const failure = enter(gate, request);
    if (failure === undefined) done();
    else if (failure instanceof Promise) void failure.then((late) => end(request, reply, late, done));
    else end(request, reply, failure, done);
  };
}

/** Before the routes are added. `roles` gets each route's own, by `METHOD url`; undefined where it names none. */
export function addSecurity(app: FastifyInstance, guard: Guard, roles: Map<string, RouteRole | undefined>): void {
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) roles.set(`${method} ${route.url}`, route.config?.role);
  });
  // Set by the hook below before anything reads it; Fastify takes no object here.
  app.decorateRequest('actor', null as unknown as Actor);
  app.addHook('onRequest', guard);
}

/** Sets the request's actor. What refuses it, if anything; a promise where its token is seen first. */
function enter(gate: Gate, request: FastifyRequest): Error | undefined | Promise<Error | undefined> {
  const { params, ip } = request;
  const role = roleOf(request);
  const permit = (known: Known): Error | undefined => {
    request.actor = known.actor;
    // The router's own: null where the path has no parameters.
    const { endpoint } = (params ?? {}) as { readonly endpoint?: string };
    gate.permit(known, role, endpoint);
    return request.routeOptions.config.tellsOfAllEndpoints === true ? refuseNarrow(known.actor) : undefined;
  };
  try {
    const known = gate.identify(credentialsOf(request), ip, role);
    return known instanceof Promise ? known.then(permit).catch(toHeadraceError) : permit(known);
  } catch (thrown) {
    return toHeadraceError(thrown);
  }
}

function refuseNarrow({ name, endpoints }: Actor): HeadraceError | undefined {
  if (endpoints === null) return undefined;
  return new HeadraceError('HR_FORBIDDEN', `this tells of all endpoints; ${name} may use ${listed(endpoints)}.`);
}

/** Whether the request would still be let in: streams outlive the key that they began with. */
export function isStillAdmitted({ gate }: Pick<Security, 'gate'>, request: FastifyRequest): Promise<boolean> {
  return gate.stillAdmits(credentialsOf(request), request.ip, roleOf(request));
}

/** The request's headers, with the key among them wherever it came. */
function credentialsOf(request: FastifyRequest): IncomingHttpHeaders {
  const { headers } = request.raw;
  const key = request.is404 ? undefined : request.routeOptions.config.keyOf?.(request);
  return key === undefined ? headers : { ...headers, authorization: undefined, 'x-api-key': key };
}

function roleOf(request: FastifyRequest): RouteRole {
  if (request.is404) return 'known';
  return request.routeOptions.config.role ?? UNSAID;
}

function end(
  request: FastifyRequest,
  reply: FastifyReply,
  failure: Error | undefined,
  done: (error?: Error) => void,
): void {
  // Refused before it was known who asks.
  request.actor ??= anonymous(request.ip);
  if (failure instanceof HeadraceError && failure.code === 'HR_UNAUTHENTICATED')
    reply.header('www-authenticate', 'Bearer');
  done(failure);
}
