// What the registry says of the traffic that a rollout asked for: on its way, active, failed, overridden,
// or another's by now.

import { HeadraceError } from '../../core/index.ts';
import { type EndpointState, type Registry, trafficWaitsFor } from '../../registry/index.ts';
import type { SeenTraffic } from './decide.ts';
import type { Rollout } from './rollout.ts';

export async function see(rollout: Rollout, registry: Pick<Registry, 'endpoints' | 'servers'>): Promise<SeenTraffic> {
  const { id, endpoint: name, revision, state } = rollout;
  const silent = await silentServers(registry.servers);
  // Whoever looks settles it; without a server nobody else does.
  const asked = silent.length > 0 ? registry.endpoints.get(name) : registry.endpoints.settleTraffic(name);
  const endpoint = await asked.catch((thrown: unknown) => {
    if (thrown instanceof HeadraceError && thrown.code === 'HR_UNKNOWN_ENDPOINT') return undefined;
    throw thrown;
  });
  if (endpoint === undefined) return { kind: 'lost', reason: `endpoint "${name}" is gone` };
  // By then it has let go.
  const isFree = state === 'rolling_back' || state === 'promoted';
  const { change, rollout: owner } = endpoint;
  if (owner !== id && !isFree) return { kind: 'lost', reason: describeLoss(change, revision) };
  if (change?.state === 'preparing' && change.revision === revision)
    return {
      kind: 'preparing',
      waitsFor: silent.length > 0 ? silent : trafficWaitsFor(endpoint, await registry.servers.list()),
    };
  if (change?.state === 'failed' && change.revision === revision) {
    const reasons = change.failures.map(({ server, reason }) => `${server}: ${reason}`);
    return { kind: 'failed', reason: reasons.join('; ') };
  }
  if (isFree && (endpoint.revision !== revision || change?.state === 'preparing'))
    return { kind: 'lost', reason: describeLoss(change, revision) };
  if (change?.state === 'preparing') return { kind: 'beside' };
  if (endpoint.revision !== revision) return overriddenBy(endpoint, rollout);
  if (silent.length > 0) return { kind: 'active', waitsFor: silent };
  const waitsFor = trafficWaitsFor({ name, revision: endpoint.revision, change: null }, await registry.servers.list());
  return { kind: 'active', waitsFor };
}

/** What can't be guarded ends the rollout (`overrideRollout`), so its arms are all that there is. */
function overriddenBy({ revision, variants, change }: EndpointState, { candidate }: Rollout): SeenTraffic {
  const weight = variants.find(({ version }) => version === candidate)?.weight ?? 0;
  const { actor, reason } = change ?? { actor: 'somebody', reason: null };
  return { kind: 'overridden', revision, weight, actor, reason };
}

/** Where none is heard of, those that were before and have neither left nor died: after an absence of the database each has yet to say how it is. */
async function silentServers(servers: Pick<Registry['servers'], 'heard'>): Promise<readonly string[]> {
  const { live, silent } = await servers.heard();
  return live.length > 0 ? [] : silent.map(({ machine, pid }) => `${machine} ${pid}`);
}

function describeLoss(
  change: { readonly revision: number; readonly actor: string; readonly reason: string | null } | null,
  revision: number | null,
): string {
  if (change === null || change.revision === revision) return 'other definitions took the traffic from it';
  return `${change.actor} set the traffic${change.reason === null ? '' : `: ${change.reason}`}`;
}
