// The key of protocols that send it in the path or a header of their own. A server that is open has none: there it is the
// project's name, so that a client of another project does not take this one's flags for its own.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HeadraceError, toHeadraceError } from '../../../core/index.ts';
import type { ControlPlane } from '../../control-plane.ts';
import type { Gate } from '../security/gate.ts';

/** The protocols have descriptions of their own: our OpenAPI document is of our API. */
export const HIDDEN = { hide: true } as const;

export type KeyOf = (request: FastifyRequest) => string | undefined;

/** For the routes of `scope` whose config has `keyOf`. Before their bodies are read. */
export function checkProjectKey(
  scope: FastifyInstance,
  { control, gate }: { readonly control: ControlPlane; readonly gate: Pick<Gate, 'isOpen'> },
): void {
  scope.addHook('onRequest', (request, reply, done) => {
    if (request.is404 || !gate.isOpen()) return done();
    const key = request.routeOptions.config.keyOf?.(request);
    try {
      if (key === undefined || key === control.catalogue().project) return done();
    } catch (thrown) {
      // Nothing is applied yet.
      return done(toHeadraceError(thrown));
    }
    reply.header('www-authenticate', 'Bearer');
    const sentence = 'the key is none: this server has no keys, and is asked by the project’s name in its place.';
    done(new HeadraceError('HR_UNAUTHENTICATED', sentence));
  });
}

/** What is in the path as `:key`. */
export function keyInPath({ params }: FastifyRequest): string {
  // Fastify's own, of a route that has it.
  return (params as { readonly key: string }).key;
}
