// The model repository extension: which models there are, and having one loaded or unloaded.

import type { FastifyInstance } from 'fastify';
import { invalid } from '../../../core/index.ts';
import type { InferencePlane } from '../../oip/inference-plane.ts';
import { asLoadRefusal, refuseLoadParameters } from '../../oip/repository-rules.ts';
import { HIDDEN } from '../flags/flag-key.ts';
import { parseJsonBody } from '../json-body.ts';
import { mayUse } from '../security/gate.ts';
import { reasonOf } from '../security/reason-header.ts';

export function addRepositoryRoutes(scope: FastifyInstance, inference: InferencePlane): void {
  scope.post('/v2/repository/index', { config: { role: 'read' }, schema: HIDDEN }, ({ actor, body }, reply) => {
    const isReadyOnly = membersOf(body)['ready'] === true;
    const seen = inference
      .index()
      .filter(({ name, state }) => mayUse(actor, 'read', name) && (!isReadyOnly || state === 'READY'));
    return reply.send(seen);
  });
  for (const verb of ['load', 'unload'] as const) {
    scope.post<{ Params: { endpoint: string } }>(
      `/v2/repository/models/:endpoint/${verb}`,
      { config: { role: 'admin', changes: `model.${verb}` }, schema: HIDDEN },
      async (request, reply) => {
        const { params, actor } = request;
        const { parameters } = membersOf(request.body);
        refuseLoadParameters(Object.keys((parameters ?? {}) as object));
        try {
          await inference[verb](params.endpoint, { actor: actor.name, reason: reasonOf(request) });
        } catch (thrown) {
          throw asLoadRefusal(thrown);
        }
        return reply.send({});
      },
    );
  }
}

/** No body is none of its members. Throws HR_MALFORMED_JSON, HR_INVALID. */
function membersOf(body: unknown): Readonly<Record<string, unknown>> {
  if (!Buffer.isBuffer(body) || body.length === 0) return {};
  const json = parseJsonBody(body);
  if (json !== null && typeof json === 'object' && !Array.isArray(json))
    return json as Readonly<Record<string, unknown>>;
  throw invalid([{ path: 'body', message: 'expected an object' }]);
}
