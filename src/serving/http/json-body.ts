// JSON bodies: whole numbers keep all their digits, and what isn't JSON is an error of the catalogue.

import type { FastifyInstance } from 'fastify';
import { HeadraceError, parseJson } from '../../core/index.ts';

export function addJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, parseJson(body as string));
    } catch (thrown) {
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      done(new HeadraceError('HR_MALFORMED_JSON', `the body is not JSON: ${message.slice(0, 200)}`));
    }
  });
}
