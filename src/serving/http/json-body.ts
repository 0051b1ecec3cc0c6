// JSON bodies: whole numbers keep all their digits, and what isn't JSON is an error of the catalogue.

import type { FastifyInstance } from 'fastify';
import { HeadraceError, messageOf, parseJson } from '../../core/index.ts';

export function addJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      const sentence = `the body’s Content-Encoding is "${encoding.slice(0, 50)}"; send it without.`;
      done(new HeadraceError('HR_UNSUPPORTED_MEDIA', sentence));
      return;
    }
    try {
      done(null, parseJson(body as string));
    } catch (thrown) {
      const message = messageOf(thrown);
      done(new HeadraceError('HR_MALFORMED_JSON', `the body is not JSON: ${message.slice(0, 200)}`));
    }
  });
}
