// Bodies of one media type: read whole within the bounds of one body and of all, then made what routes take.

import type { FastifyInstance } from 'fastify';
import { HeadraceError } from '../../core/index.ts';
import type { BodyRoom, BytesInFlight } from '../bytes-in-flight.ts';
import { readWholeBody } from './read-whole-body.ts';

export interface BodyBounds {
  /** Of one body. */
  readonly bodyLimitBytes: number;
  /** Of all bodies. */
  readonly bytes: BytesInFlight;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined where no body was read. */
    bodyRoom: BodyRoom | undefined;
  }
}

/** Once, before any parser. */
export function holdBodies(app: FastifyInstance): void {
  app.decorateRequest('bodyRoom', undefined);
  app.addHook('onResponse', (request, _reply, answered) => {
    request.bodyRoom?.release();
    answered();
  });
  app.removeAllContentTypeParsers();
}

/** `parse` throws what is wrong with a body, or rejects with it. */
export function addBodyParser(
  app: FastifyInstance,
  mediaType: string,
  { bodyLimitBytes, bytes }: BodyBounds,
  parse: (body: Buffer) => unknown,
): void {
  app.addContentTypeParser(mediaType, (request, _payload, done) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      const sentence = `the body’s Content-Encoding is "${encoding.slice(0, 50)}"; send it without.`;
      done(new HeadraceError('HR_UNSUPPORTED_MEDIA', sentence));
      return;
    }
    const room = (request.bodyRoom = bytes.open(request.raw.socket));
    readWholeBody(request.raw, { limitBytes: bodyLimitBytes, room }, (failure, body) => {
      if (failure !== undefined) {
        // Nothing of it is kept, and its answer may take as long as what is left of it.
        room.release();
        return done(failure);
      }
      let parsed: unknown;
      try {
        parsed = parse(body);
      } catch (thrown) {
        return done(thrown as Error);
      }
      if (parsed instanceof Promise) void finish(parsed, done);
      else done(null, parsed);
    });
  });
}

async function finish(parsed: Promise<unknown>, done: (failure: Error | null, body?: unknown) => void): Promise<void> {
  let body: unknown;
  try {
    body = await parsed;
  } catch (thrown) {
    done(thrown as Error);
    return;
  }
  done(null, body);
}
