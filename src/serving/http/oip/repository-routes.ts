// The model repository extension: which models there are, and having one loaded or unloaded.

import type { FastifyInstance } from 'fastify';
import { HeadraceError, invalid } from '../../../core/index.ts';
import type { InferencePlane } from '../../oip/inference-plane.ts';
import { HIDDEN } from '../flags/flag-key.ts';
import { parseJsonBody } from '../json-body.ts';
import { mayUse } from '../security/gate.ts';

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
      async ({ params, actor, body }, reply) => {
        const { parameters } = membersOf(body);
        const own = Object.keys((parameters ?? {}) as object).filter((name) => name !== 'unload_dependents');
        if (own.length > 0) {
          const message = 'a model is loaded as it was registered: no configuration and no file come with the request';
          throw invalid([{ path: `parameters.${own[0]?.slice(0, 80)}`, message }]);
        }
        try {
          await inference[verb](params.endpoint, actor.name);
        } catch (thrown) {
          throw asRefusal(thrown);
        }
        return reply.send({});
      },
    );
  }
}

/** A model that can't be loaded is told as Triton does: as the request's mistake, with the reason. */
function asRefusal(thrown: unknown): unknown {
  if (!(thrown instanceof HeadraceError) || thrown.code !== 'HR_MODEL_NOT_READY') return thrown;
  return new HeadraceError('HR_INVALID', thrown.message, { cause: thrown });
}

/** No body is none of its members. Throws HR_MALFORMED_JSON, HR_INVALID. */
function membersOf(body: unknown): Readonly<Record<string, unknown>> {
  if (!Buffer.isBuffer(body) || body.length === 0) return {};
  const json = parseJsonBody(body);
  if (json !== null && typeof json === 'object' && !Array.isArray(json))
    return json as Readonly<Record<string, unknown>>;
  throw invalid([{ path: 'body', message: 'expected an object' }]);
}
