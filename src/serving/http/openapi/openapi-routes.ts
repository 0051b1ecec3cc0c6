// GET /openapi.json: the document, rendered anew only when what it is made from changed.

import type { FastifyInstance } from 'fastify';
import { stringifyJson } from '../../../core/index.ts';
import type { Catalogue } from '../../catalogue.ts';
import { etagged, renderedOnce, sendEtagged } from '../etagged.ts';
import { JSON_TYPE } from '../json-type.ts';
import { openApiDocument, type RoutesDocument } from './document.ts';
import type { SeenCatalogue } from './seen-catalogue.ts';

export interface ApiDocumentOptions {
  readonly version: string;
  /** The registered routes, once all are. */
  readonly routes: () => RoutesDocument;
}

export function addOpenApiRoute(
  app: FastifyInstance,
  seen: SeenCatalogue,
  { version, routes }: ApiDocumentOptions,
): void {
  const rendered = renderedOnce((catalogue: Catalogue | undefined) =>
    etagged(stringifyJson(openApiDocument(routes(), catalogue, version)), JSON_TYPE),
  );
  app.get('/openapi.json', { config: { role: 'read' }, schema: { hide: true } }, (request, reply) =>
    sendEtagged(request, reply, rendered(seen(request.actor))),
  );
}
