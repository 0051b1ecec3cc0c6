// GET /docs and what its page loads, and `/`, which leads there.

import type { FastifyInstance } from 'fastify';
import type { ApiDocumentOptions } from '../openapi/openapi-routes.ts';
import type { SeenCatalogue } from '../openapi/seen-catalogue.ts';
import type { Catalogue } from '../../catalogue.ts';
import { etagged, renderedOnce, sendEtagged } from '../etagged.ts';
import { docsPage, type OtherRoute } from './page.ts';
import { PAGE_SCRIPT, PAGE_STYLE } from './page-assets.ts';

/** The page may load what this server has, and nothing else. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function addDocsRoutes(
  app: FastifyInstance,
  seen: SeenCatalogue,
  { version, routes }: ApiDocumentOptions,
): void {
  const rendered = renderedOnce((catalogue: Catalogue | undefined) =>
    etagged(docsPage(catalogue, otherRoutes(routes().paths ?? {}), version), 'text/html; charset=utf-8'),
  );
  const style = etagged(PAGE_STYLE, 'text/css; charset=utf-8');
  const script = etagged(PAGE_SCRIPT, 'text/javascript; charset=utf-8');
  const hidden = { config: { role: 'read' }, schema: { hide: true } } as const;
  for (const path of ['/docs', '/docs/']) {
    app.get(path, hidden, (request, reply) => {
      reply.header('content-security-policy', POLICY).header('referrer-policy', 'no-referrer');
      return sendEtagged(request, reply, rendered(seen(request.actor)));
    });
  }
  app.get('/docs/page.css', hidden, (request, reply) => sendEtagged(request, reply, style));
  app.get('/docs/page.js', hidden, (request, reply) => sendEtagged(request, reply, script));
}

/** What a GET of `/` is answered with: a page's reader is led to /docs, where it is; a program gets links. */
export function addRootRoute(
  app: FastifyInstance,
  seen: SeenCatalogue,
  { version, hasDocs }: { readonly version: string; readonly hasDocs: boolean },
): void {
  const links = {
    openapi: '/openapi.json',
    ...(hasDocs ? { docs: '/docs' } : {}),
    endpoints: '/v1/endpoints',
    services: '/v1/services',
    views: '/v1/views',
    status: '/v1/status',
    ready: '/health/ready',
    metrics: '/metrics',
  };
  app.get('/', { config: { role: 'read' }, schema: { hide: true } }, (request, reply) => {
    reply.header('vary', 'accept');
    if (hasDocs && (request.headers.accept ?? '').includes('text/html')) return reply.redirect('/docs');
    const project = seen(request.actor)?.project ?? null;
    return reply.send({ name: 'headrace', version, project, links });
  });
}

function otherRoutes(paths: object): OtherRoute[] {
  // As the HTTP framework describes routes: operations by path, then by method.
  const items = Object.entries(
    paths as Readonly<Record<string, Readonly<Record<string, { readonly summary?: string }>>>>,
  );
  return items.flatMap(([path, item]) =>
    Object.entries(item).map(([method, { summary = '' }]) => ({ method: method.toUpperCase(), path, summary })),
  );
}
