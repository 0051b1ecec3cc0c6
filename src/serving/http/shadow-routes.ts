// What shadow versions made of the rows that they were given, over HTTP: the figures of all processes of this server together. They
// are kept nowhere, so that those of other servers are asked of them.

import type { FastifyInstance } from 'fastify';
import type { ShadowFigures } from '../../monitoring/index.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { LiveStats } from './live-stats.ts';
import { EndpointParams, problems, ShadowsResponse } from './schemas.ts';

export function addShadowRoutes(app: FastifyInstance, control: ControlPlane, stats: LiveStats): void {
  app.get<{ Params: { endpoint: string } }>(
    '/v1/endpoints/:endpoint/shadows',
    {
      config: { role: 'read' },
      schema: {
        summary: 'How shadow versions compare with what was answered, by this server alone, since it started',
        tags: ['endpoints'],
        params: EndpointParams,
        response: { 200: ShadowsResponse, ...problems },
      },
    },
    async (request) => {
      const { state } = await control.endpoint(request.params.endpoint);
      const counted = (await stats.shadows()).filter(({ endpoint }) => endpoint === state.name);
      const versions = new Set([...state.shadows, ...counted].map(({ version }) => version));
      return {
        scope: 'server',
        shadows: Array.from(versions, (version) => {
          const percent = state.shadows.find((shadow) => shadow.version === version)?.percent ?? null;
          return {
            version,
            percent,
            ...present(counted.find((figures) => figures.version === version)),
          };
        }),
      };
    },
  );
}

/** Undefined where nothing was counted yet. */
function present(figures: ShadowFigures | undefined): object {
  const { pairs = 0, errors = new Map<string, number>(), agreement = null, meanAbsDifference = null } = figures ?? {};
  return {
    pairs,
    errors: [...errors.values()].reduce((sum, rows) => sum + rows, 0),
    error_codes: Object.fromEntries(errors),
    agreement,
    mean_abs_difference: meanAbsDifference,
    psi: figures?.psi ?? null,
    latency_ms: {
      primary: figures?.latencyMs.answered ?? NO_LATENCY,
      shadow: figures?.latencyMs.shadow ?? NO_LATENCY,
    },
    dropped: Object.fromEntries(figures?.dropped ?? []),
  };
}

const NO_LATENCY = { mean: null, p50: null, p90: null, p99: null, max: null };
