// Feast's feature server, for its clients unmodified: a remote online store with this server's URL, and whoever asks it over
// HTTP. Reads and pushes are the same calls as by our own API. https://docs.feast.dev/reference/feature-servers/python-feature-server

import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { canonicalJson, type Logger, toHeadraceError } from '../../../core/index.ts';
import { own } from '../../../definitions/index.ts';
import type { ControlPlane } from '../../control-plane.ts';
import type { DataPlane } from '../../data-plane.ts';
import { entityRows } from '../../feast/entity-rows.ts';
import { feastDetail } from '../../feast/feast-errors.ts';
import type { Materialize } from '../../feast/materialize.ts';
import { pushedRows } from '../../feast/pushed-rows.ts';
import { writeOnlineFeatures } from '../../feast/write-online-features.ts';
import { writtenView } from '../../feast/written-view.ts';
import type { IngestPlane } from '../../ingest-plane.ts';
import { addBodyParser, type BodyBounds } from '../body-parser.ts';
import { HIDDEN } from '../flags/flag-key.ts';
import { parseJsonBody } from '../json-body.ts';
import { JSON_TYPE } from '../json-type.ts';
import { fromHttp, sendProblem } from '../problem.ts';
import { queryFlags } from '../query-flags.ts';
import { idempotencyKeyOf, type RequestDefaults, scopeOf } from '../request-context.ts';
import { loggedRequest, type RequestLog } from '../request-log.ts';
import { parseIncremental, parseMaterialize } from './materialize-bodies.ts';
import { parseOnlineFeatures, parsePushBody, parseWriteBody } from './feast-bodies.ts';

export interface FeastRoutesOptions extends BodyBounds, RequestDefaults {
  readonly data: DataPlane;
  readonly ingest: IngestPlane;
  readonly control: ControlPlane;
  readonly log: RequestLog;
  readonly logger: Logger;
  readonly materialize: Materialize;
}

export function addFeastRoutes(scope: FastifyInstance, options: FeastRoutesOptions): void {
  const { data, ingest, control, log, logger, materialize } = options;
  scope.setErrorHandler((error, request, reply) => {
    const thrown = fromHttp(error, request.headers['content-type']);
    return sendProblem(reply, request, thrown, log, {
      type: JSON_TYPE,
      of: ({ code, detail }) => feastDetail(thrown, code, detail),
    });
  });
  // They send JSON under any name, or none: `requests.post(url, data=json.dumps(…))` is what Feast's guides show.
  addBodyParser(scope, '*', options, parseJsonBody);

  scope.post('/get-online-features', { config: { role: 'read' }, schema: HIDDEN }, async (request, reply) => {
    const { features, entities, isFull } = parseOnlineFeatures(request.body);
    const rows = entityRows(entities);
    const claim = scopeOf(request, options);
    const read =
      typeof features === 'string'
        ? await data.readFeatures(features, rows, claim)
        : await data.readReferences(features, rows, claim);
    const { bytes, release } = writeOnlineFeatures(read, isFull);
    // Once the system has all of it. Of a connection that breaks before, the memory is let go.
    reply.raw.once('finish', release);
    return reply.header('content-type', JSON_TYPE).send(bytes);
  });

  const push = async (request: FastifyRequest, source: string, rows: readonly object[]): Promise<null> => {
    const key = idempotencyKeyOf(request) ?? sameOnce(source, rows);
    await ingest.push(source, rows, key, scopeOf(request, options));
    return null;
  };
  const write = { config: { role: 'write' }, schema: HIDDEN } as const;
  scope.post('/push', write, async (request, reply) => {
    const { source: name, df } = parsePushBody(request.body);
    const source = own(control.definitions().manifest.sources, name);
    // That there is none is for the push to say.
    return reply.send(await push(request, name, source === undefined ? [] : pushedRows(source, df)));
  });
  scope.post('/write-to-online-store', write, async (request, reply) => {
    const { view, df } = parseWriteBody(request.body);
    const { source, rows } = writtenView(control.definitions().manifest, view, df);
    return reply.send(await push(request, source, rows));
  });

  const fill = async (
    request: FastifyRequest,
    reply: FastifyReply,
    parse: typeof parseMaterialize,
  ): Promise<FastifyReply> => {
    const { manifest } = control.definitions();
    const asked = parse(request.body, manifest, Date.now() * 1000);
    // Nothing is ever stuck that could be forced.
    const { async: isAsync } = queryFlags(request.query, ['async', 'force']);
    const filling = materialize(asked);
    if (!isAsync) {
      await filling;
      return reply.send(null);
    }
    // What refuses it at once is still told.
    await Promise.race([filling, turn()]);
    // Why it failed is told to nobody but the log, whatever that has of requests: it is no answer to one.
    filling.catch((thrown: unknown) => {
      const { code, message: reason } = toHeadraceError(thrown);
      logger.error({ ...loggedRequest(request), code, reason }, 'a materialize that nobody waits for failed');
    });
    return reply.code(202).send({ status: 'accepted', feature_views: asked.views ?? Object.keys(manifest.views) });
  };
  const admin = { config: { role: 'admin' }, schema: HIDDEN } as const;
  scope.post('/materialize', admin, (request, reply) => fill(request, reply, parseMaterialize));
  scope.post('/materialize-incremental', admin, (request, reply) => fill(request, reply, parseIncremental));

  scope.get('/health', { config: { role: 'open' }, schema: HIDDEN, exposeHeadRoute: true }, (_request, reply) =>
    reply.code(control.readiness().isReady ? 200 : 503).send(),
  );
}

/**
 * Feast's push sets values, so that its clients send one again where they got no answer: the same rows twice are the same push,
 * and not twice as many events.
 */
function sameOnce(source: string, rows: readonly object[]): string {
  return `feast-${createHash('sha256')
    .update(canonicalJson([source, rows]))
    .digest('base64url')}`;
}
