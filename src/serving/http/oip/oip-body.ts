// Bodies of the protocol: of any media type or none, since its clients say what they like; packed or not.

import type { FastifyInstance } from 'fastify';
import { addBodyParser, type BodyBounds } from '../body-parser.ts';

/** The routes of `scope` get a Buffer. */
export function addOipBody(scope: FastifyInstance, bounds: BodyBounds): void {
  scope.removeContentTypeParser('application/json');
  addBodyParser(scope, '*', bounds, (body) => body, ['gzip', 'deflate']);
}
