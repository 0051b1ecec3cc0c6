// The model repository extension: which models there are, and having one loaded or unloaded.

import type { FastifyInstance } from 'fastify';
import { describe, invalid } from '../../../core/index.ts';
import type { InferencePlane } from '../../oip/inference-plane.ts';
import { asLoadRefusal, refuseLoadParameters } from '../../oip/repository-rules.ts';
import { HIDDEN } from '../flags/flag-key.ts';
import { parseJsonBody } from '../json-body.ts';
import { mayUse } from '../security/gate.ts';
import { reasonOf } from '../security/reason-header.ts';

export function addRepositoryRoutes(scope: FastifyInstance, inference: InferencePlane): void {
  scope.post('/v2/repository/index', { config: { role: 'read' }, schema: HIDDEN }, ({ actor, body }, reply) => {
    const isReadyOnly = readyOnly(membersOf(body)['ready']);
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
        refuseLoadParameters(Object.keys(objectOf(parameters ?? {}, 'parameters')));
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

function readyOnly(json: unknown): boolean {
  if (json === undefined || json === null) return false;
  if (typeof json === 'boolean') return json;
  throw invalid([{ path: 'ready', message: `expected true or false, got ${describe(json)}` }]);
}

type Members = Readonly<Record<string, unknown>>;

/** No body is none of its members. Throws HR_MALFORMED_JSON, HR_INVALID. */
function membersOf(body: unknown): Members {
  return Buffer.isBuffer(body) && body.length > 0 ? objectOf(parseJsonBody(body), 'body') : {};
}

function objectOf(json: unknown, path: string): Members {
  if (json !== null && typeof json === 'object' && !Array.isArray(json)) return json as Members;
  throw invalid([{ path, message: `expected an object, got ${describe(json)}` }]);
}
