// JSON bodies: whole numbers keep all their digits, and what isn't JSON is an error of the catalogue.

import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { HeadraceError, type Json, messageOf, parseJson } from '../../core/index.ts';
import type { BodyRoom, BytesInFlight } from '../bytes-in-flight.ts';
import { readWholeBody } from './read-whole-body.ts';

export interface JsonBodyBounds {
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

export function addJsonBody(app: FastifyInstance, { bodyLimitBytes, bytes }: JsonBodyBounds): void {
  app.decorateRequest('bodyRoom', undefined);
  app.addHook('onResponse', (request, _reply, answered) => {
    request.bodyRoom?.release();
    answered();
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (request, _payload, done) => {
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
      let json: Json;
      try {
        json = parseJsonBody(body);
      } catch (thrown) {
        return done(thrown as HeadraceError);
      }
      done(null, json);
    });
  });
}

/** Throws HR_MALFORMED_JSON. */
export function parseJsonBody(bytes: Buffer): Json {
  // Decoding would put U+FFFD where bytes are none, and values would change in silence.
  if (!isUtf8(bytes)) throw new HeadraceError('HR_MALFORMED_JSON', 'the body is not UTF-8.');
  const text = bytes.toString('utf8');
  if (text.trim() === '') throw new HeadraceError('HR_MALFORMED_JSON', 'the body is empty; it must be JSON.');
  try {
    return parseJson(text);
  } catch (thrown) {
    // Numbers of many digits are looked for by calls as deep as what they are in.
    if (thrown instanceof RangeError) throw new HeadraceError('HR_MALFORMED_JSON', 'the body is nested too deeply.');
    throw new HeadraceError('HR_MALFORMED_JSON', `the body is not JSON: ${messageOf(thrown).slice(0, 200)}`);
  }
}
