// JSON bodies: whole numbers keep all their digits, and what isn't JSON is an error of the catalogue.

import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { HeadraceError, type Json, messageOf, parseJson } from '../../core/index.ts';

export function addJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      const sentence = `the body’s Content-Encoding is "${encoding.slice(0, 50)}"; send it without.`;
      done(new HeadraceError('HR_UNSUPPORTED_MEDIA', sentence));
      return;
    }
    try {
      // What `parseAs: 'buffer'` gives.
      done(null, parseJsonBody(body as Buffer));
    } catch (thrown) {
      done(thrown as HeadraceError);
    }
  });
}

/** Throws HR_MALFORMED_JSON. */
export function parseJsonBody(bytes: Buffer): Json {
  // Decoding would put U+FFFD where bytes are none, and values would change in silence.
  if (!isUtf8(bytes)) throw new HeadraceError('HR_MALFORMED_JSON', 'the body is not UTF-8.');
  try {
    return parseJson(bytes.toString('utf8'));
  } catch (thrown) {
    // Numbers of many digits are looked for by calls as deep as what they are in.
    if (thrown instanceof RangeError) throw new HeadraceError('HR_MALFORMED_JSON', 'the body is nested too deeply.');
    throw new HeadraceError('HR_MALFORMED_JSON', `the body is not JSON: ${messageOf(thrown).slice(0, 200)}`);
  }
}
