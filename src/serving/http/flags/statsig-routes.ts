// Statsig's server SDKs, unmodified: flags as dynamic configs that they evaluate themselves, and the exposures that they log.
// They take keys that begin with `secret-`: it stands before an API key, or before the project's name.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { stringifyJson } from '../../../core/index.ts';
import type { BytesInFlight } from '../../bytes-in-flight.ts';
import { createFlagDocuments } from '../../flags/flag-documents.ts';
import { countExposures, type Exposure } from '../../flags/statsig-exposures.ts';
import { statsigSpecs } from '../../flags/statsig-specs.ts';
import { addBodyParser } from '../body-parser.ts';
import { parseJsonBody } from '../json-body.ts';
import { JSON_TYPE } from '../json-type.ts';
import { fromHttp, type ProblemForm, sendProblem } from '../problem.ts';
import type { FlagRoutesOptions } from './growthbook-routes.ts';
import { checkProjectKey, HIDDEN, keyInPath } from './flag-key.ts';

export interface StatsigOptions extends FlagRoutesOptions {
  readonly bodyLimitBytes: number;
  readonly bytes: BytesInFlight;
  /** Hears of units that an SDK has given an arm. */
  readonly onExposures: (exposures: readonly Exposure[]) => void;
}

const FORM: ProblemForm = {
  type: JSON_TYPE,
  of: ({ status, detail, code, request_id }) => ({
    success: false,
    statusCode: status,
    message: detail,
    code,
    request_id,
  }),
};

export function addStatsigRoutes(scope: FastifyInstance, options: StatsigOptions): void {
  const { control, log, onExposures } = options;
  const documents = createFlagDocuments(() => control.flagPlans(), statsigSpecs, Date.now);
  scope.setErrorHandler((error, request, reply) =>
    sendProblem(reply, request, fromHttp(error, request.headers['content-type']), log, FORM),
  );
  checkProjectKey(scope, options);
  // They pack what they log.
  scope.removeContentTypeParser('application/json');
  addBodyParser(scope, 'application/json', options, parseJsonBody, ['gzip']);

  const specs = ({ actor, query }: FastifyRequest): string => {
    const { of, changedMs } = documents(actor.endpoints);
    const since = Number((query as { readonly sinceTime?: unknown }).sinceTime);
    if (since === changedMs) return stringifyJson({ has_updates: false });
    // SDKs leave what is older than what they have, which may be of a server whose clock is ahead.
    const time = Number.isSafeInteger(since) ? Math.max(since, changedMs) : changedMs;
    return stringifyJson({ has_updates: true, time, ...of });
  };
  for (const [url, keyOf] of [
    ['/v1/download_config_specs', keyInHeader],
    [
      '/v1/download_config_specs/:key',
      (request: FastifyRequest) => statsigKey(keyInPath(request).replace(/\.json$/, '')),
    ],
  ] as const) {
    scope.get(url, { config: { role: 'read', keyOf }, schema: HIDDEN }, (request, reply) =>
      reply.header('content-type', JSON_TYPE).header('cache-control', 'no-store').send(specs(request)),
    );
  }
  scope.post(
    '/v1/log_event',
    {
      config: { role: 'read', keyOf: keyInHeader },
      schema: HIDDEN,
    },
    (request, reply) => {
      onExposures(countExposures(request.body, documents(request.actor.endpoints).of));
      return reply.code(202).send({ success: true });
    },
  );
  scope.post(
    '/v1/get_id_lists',
    {
      config: { role: 'read', keyOf: keyInHeader },
      schema: HIDDEN,
    },
    () => Promise.resolve({}),
  );
}

/** Undefined where it is in the headers of all. */
function keyInHeader({ headers }: FastifyRequest): string | undefined {
  const key = headers['statsig-api-key'];
  return typeof key === 'string' ? statsigKey(key) : undefined;
}

function statsigKey(key: string): string {
  return key.replace(/^secret-/, '');
}
