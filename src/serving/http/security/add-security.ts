// The gate before every route of a server, and its routes' roles.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Actor, HeadraceError } from '../../../core/index.ts';
import { anonymous } from './gate.ts';
import type { RouteRole } from './route-role.ts';
import type { Security } from './security.ts';

/** What a route takes that names no role. */
const UNSAID: RouteRole = 'admin';

/** Headers of one request: far more than any client sends. */
const MOST_HEADERS = 100;

/** Before the routes are added. `roles` gets each route's own, by `METHOD url`; undefined where it names none. */
export function addSecurity(
  app: FastifyInstance,
  { gate }: Pick<Security, 'gate'>,
  roles: Map<string, RouteRole | undefined>,
): void {
  app.addHook('onRoute', (route) => {
    // The page's own routes come from a package, which knows no roles.
    if (route.url.startsWith('/docs')) route.config = { role: 'read', ...route.config };
    for (const method of [route.method].flat()) roles.set(`${method} ${route.url}`, route.config?.role);
  });
  // Set by the hook below before anything reads it; Fastify takes no object here.
  app.decorateRequest('actor', null as unknown as Actor);
  app.addHook('onRequest', (request, reply, done) => {
    let admitted: Actor | Promise<Actor>;
    try {
      admitted = admit(gate, request);
    } catch (thrown) {
      // Only errors are thrown.
      refuse(request, reply, thrown as Error, done);
      return;
    }
    if (admitted instanceof Promise) {
      void waitFor(admitted, request, reply, done);
      return;
    }
    request.actor = admitted;
    done();
  });
}

function admit(gate: Security['gate'], request: FastifyRequest): Actor | Promise<Actor> {
  const { params, raw, ip } = request;
  if (raw.rawHeaders.length > 2 * MOST_HEADERS)
    throw new HeadraceError('HR_INVALID', `the request has more than ${MOST_HEADERS} headers.`);
  // The router's own: null where the path has no parameters.
  const { endpoint } = (params ?? {}) as { readonly endpoint?: string };
  return gate.admit(raw.headers, ip, roleOf(request), endpoint);
}

async function waitFor(
  admitted: Promise<Actor>,
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
): Promise<void> {
  let failure: unknown;
  try {
    request.actor = await admitted;
  } catch (thrown) {
    failure = thrown;
  }
  if (failure === undefined) done();
  else refuse(request, reply, failure as Error, done);
}

/** Whether the request would still be let in: streams outlive the key that they began with. */
export function isStillAdmitted({ gate }: Pick<Security, 'gate'>, request: FastifyRequest): Promise<boolean> {
  return gate.stillAdmits(request.raw.headers, request.ip, roleOf(request));
}

function roleOf(request: FastifyRequest): RouteRole {
  if (request.is404) return 'known';
  return request.routeOptions.config.role ?? UNSAID;
}

function refuse(request: FastifyRequest, reply: FastifyReply, thrown: Error, done: (error: Error) => void): void {
  request.actor = anonymous(request.ip);
  // RFC 6750: with a key that was not taken, that is said.
  if (thrown instanceof HeadraceError && thrown.code === 'HR_UNAUTHENTICATED')
    reply.header('www-authenticate', 'Bearer');
  done(thrown);
}
