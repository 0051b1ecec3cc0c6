// GET /openapi.json: the document, rendered anew only when what it is made from changed.

import type { FastifyInstance } from 'fastify';
import { HeadraceError, stringifyJson } from '../../../core/index.ts';
import type { Catalogue } from '../../catalogue.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { etagged, renderedOnce, sendEtagged } from '../etagged.ts';
import { JSON_TYPE } from '../json-type.ts';
import { openApiDocument, type RoutesDocument } from './document.ts';

export interface ApiDocumentOptions {
  readonly version: string;
  /** The registered routes, once all are. */
  readonly routes: () => RoutesDocument;
}

export function addOpenApiRoute(
  app: FastifyInstance,
  control: Pick<ControlPlane, 'catalogue'>,
  { version, routes }: ApiDocumentOptions,
): void {
  const rendered = renderedOnce((catalogue: Catalogue | undefined) =>
    etagged(stringifyJson(openApiDocument(routes(), catalogue, version)), JSON_TYPE),
  );
  app.get('/openapi.json', { config: { role: 'read' }, schema: { hide: true } }, (request, reply) =>
    sendEtagged(request, reply, rendered(catalogueIfAny(control))),
  );
}

/** Undefined while nothing is applied, or what is can't be loaded. */
export function catalogueIfAny(control: Pick<ControlPlane, 'catalogue'>): Catalogue | undefined {
  try {
    return control.catalogue();
  } catch (thrown) {
    if (thrown instanceof HeadraceError) return undefined;
    throw thrown;
  }
}
