// What a route says of itself: which role it takes, and whether it changes what is served. Its actor is on the request.

import type { Actor, Role } from '../../../core/index.ts';

/** `open` takes anybody, `known` any key or token. */
export type RouteRole = Role | 'open' | 'known';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Left out, the route takes `admin`: nothing is open by being forgotten. */
    role?: RouteRole;
    /** The audit log's word for what the route changes, such as `endpoint.traffic`: what is refused is told there, too. */
    changes?: string;
    /** What it tells is of all endpoints: who is kept to some does not get it. */
    tellsOfAllEndpoints?: boolean;
    /** The key, where a protocol's clients send it elsewhere than in the headers of all; undefined: it is looked for there. */
    keyOf?: (request: FastifyRequest) => string | undefined;
  }
  interface FastifyRequest {
    actor: Actor;
  }
}
