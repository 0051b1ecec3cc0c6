// JSON bodies: whole numbers keep all their digits, and what isn't JSON is an error of the catalogue.

import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { HeadraceError, messageOf, parseJson } from '../../core/index.ts';

export function addJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      const sentence = `the body’s Content-Encoding is "${encoding.slice(0, 50)}"; send it without.`;
      done(new HeadraceError('HR_UNSUPPORTED_MEDIA', sentence));
      return;
    }
    // What `parseAs: 'buffer'` gives. Decoding would put U+FFFD where bytes are none, and values would change in silence.
    const bytes = body as Buffer;
    if (!isUtf8(bytes)) return done(new HeadraceError('HR_MALFORMED_JSON', 'the body is not UTF-8.'));
    try {
      done(null, parseJson(bytes.toString('utf8')));
    } catch (thrown) {
      const message = messageOf(thrown);
      done(new HeadraceError('HR_MALFORMED_JSON', `the body is not JSON: ${message.slice(0, 200)}`));
    }
  });
}
