// Endpoints: they come and go with the applied definitions; which versions they serve is set apart (set-traffic.ts).

import { canonicalJson, HeadraceError } from '../core/index.ts';
import type { EndpointSpec } from '../definitions/index.ts';
import { BUCKETS } from './bucket-ranges.ts';
import {
  type EndpointState,
  nextRevision,
  readEndpoint,
  readEndpoints,
  type RecordChange,
  toState,
  writeTraffic,
} from './endpoint-rows.ts';
import { createTrafficRegistry, type TrafficRegistry } from './set-traffic.ts';
import type { RegistryDb, RegistryStore } from './store.ts';
import { readTrafficRevision, type TrafficRevision } from './traffic-revision.ts';
import { versionsIn } from './traffic-versions.ts';
import type { Servers } from './versions/servers.ts';

export interface EndpointRegistry extends TrafficRegistry {
  list(): Promise<EndpointState[]>;
  /** Throws HR_UNKNOWN_ENDPOINT. */
  get(name: string): Promise<EndpointState>;
  /** What became of a revision. Throws HR_UNKNOWN_ENDPOINT, HR_UNKNOWN_REVISION. */
  trafficRevision(name: string, revision: number): Promise<TrafficRevision>;
}

export function createEndpointRegistry(store: RegistryStore, servers: Pick<Servers, 'list'>): EndpointRegistry {
  return {
    list: () => readEndpoints(store.db),
    get: (name) => readEndpoint(store.db, name),
    trafficRevision: async (name, revision) =>
      readTrafficRevision(store.db, await readEndpoint(store.db, name), revision, await servers.list()),
    ...createTrafficRegistry(store, servers),
  };
}

/** Names of the endpoints that give a version traffic, or shadow with it. */
export async function endpointsServing(trx: RegistryDb, model: string, version: number): Promise<string[]> {
  return (await readEndpoints(trx, model)).filter((state) => versionsIn(state).has(version)).map(({ name }) => name);
}

/** Gives a model's endpoints that have no traffic the model's first version, so that a prediction works at once. */
export async function startTraffic(trx: RegistryDb, record: RecordChange, model: string, actor: string): Promise<void> {
  for (const endpoint of await readEndpoints(trx, model)) {
    if (endpoint.variants.length > 0) continue;
    // Nothing is served yet that could suffer.
    await writeTraffic(trx, record, endpoint, {
      revision: nextRevision(endpoint),
      variants: [{ name: 'stable', version: 1, weight: 100, ranges: [[0, BUCKETS]] }],
      shadows: endpoint.shadows,
      experiments: endpoint.experiments,
      actor,
      reason: null,
    });
  }
}

/** Makes the rows agree with applied definitions: new ones made, missing ones retired, another model's traffic ended. */
export async function followDefinitions(
  trx: RegistryDb,
  record: RecordChange,
  specs: Readonly<Record<string, EndpointSpec>>,
  newSalt: () => string,
  actor: string,
): Promise<void> {
  const rows = await trx.selectFrom('registry_endpoints').selectAll().execute();
  const byName = new Map(rows.map((row) => [row.name, row]));
  for (const spec of Object.values(specs)) {
    const row = byName.get(spec.name);
    const unit = canonicalJson(spec.unit);
    const object = `endpoint/${spec.name}`;
    if (row === undefined) {
      const made = {
        name: spec.name,
        model: spec.model,
        unit,
        salt: newSalt(),
        ...NO_TRAFFIC,
        revision: 1,
        is_retired: 0,
        change: null,
      };
      await trx.insertInto('registry_endpoints').values(made).execute();
      await record({ actor, action: 'endpoint.create', object, after: toState(made) });
      continue;
    }
    const keepsTraffic = row.is_retired === 0 && row.model === spec.model;
    if (keepsTraffic && row.unit === unit) continue;
    refuseWhileRolledOut(toState(row), keepsTraffic ? 'another unit' : 'another model');
    const changed = {
      ...row,
      ...(keepsTraffic ? {} : NO_TRAFFIC),
      model: spec.model,
      unit,
      revision: nextRevision(toState(row)),
      is_retired: 0,
      change: null,
    };
    await trx.updateTable('registry_endpoints').set(changed).where('name', '=', spec.name).execute();
    await record({ actor, action: 'endpoint.change', object, before: toState(row), after: toState(changed) });
  }
  for (const row of rows) {
    if (row.is_retired === 1 || Object.hasOwn(specs, row.name)) continue;
    refuseWhileRolledOut(toState(row), 'no definition any more');
    await trx
      .updateTable('registry_endpoints')
      .set({ ...NO_TRAFFIC, revision: nextRevision(toState(row)), is_retired: 1, change: null })
      .where('name', '=', row.name)
      .execute();
    await record({ actor, action: 'endpoint.retire', object: `endpoint/${row.name}`, before: toState(row) });
  }
}

/** Throws HR_ROLLOUT_UNDERWAY: what is applied takes nothing from under a rollout. */
function refuseWhileRolledOut({ name, rollout }: EndpointState, has: string): void {
  if (rollout === null) return;
  const sentence = `endpoint "${name}" would have ${has}, and rollout "${rollout}" is under way on it. Abort it, or wait until it ends, then apply again.`;
  throw new HeadraceError('HR_ROLLOUT_UNDERWAY', sentence);
}

const NO_TRAFFIC = { variants: '[]', shadows: '[]', experiments: '[]', rollout: null, candidate: null };
