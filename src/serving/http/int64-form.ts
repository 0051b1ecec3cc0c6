// `X-Int64: string`: a client whose language loses digits of large numbers asks for each int64 of an answer as text.

import type { FastifyInstance } from 'fastify';
import { type HeadraceError, type Int64Form, invalid } from '../../core/index.ts';
import { quoted } from './request-context.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** How int64 go into the answer. */
    int64: Int64Form;
  }
}

/** After the gate: a stranger is not told what a header may hold. */
export function addInt64Form(app: FastifyInstance): void {
  app.decorateRequest('int64', 'number');
  app.addHook('onRequest', (request, _reply, done) => {
    const asked = request.headers['x-int64'];
    if (asked === undefined) return done();
    if (asked !== 'string') return done(unknownForm([asked].flat().join(', ')));
    request.int64 = 'text';
    done();
  });
}

function unknownForm(asked: string): HeadraceError {
  const message = `expected string, or no such header, got ${quoted(asked)}`;
  return invalid([{ path: 'X-Int64', message }]);
}
