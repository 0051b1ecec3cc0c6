// Endpoints: they come and go with the applied definitions; which versions they serve is set here.

import { canonicalJson, didYouMeanOf, HeadraceError, parseJson } from '../core/index.ts';
import type { EndpointSpec } from '../definitions/index.ts';
import { readVersions } from './model-versions.ts';
import type { RegistryTables } from './schema.ts';
import type { AuditEntry, RegistryDb, RegistryStore } from './store.ts';
import { resolveTraffic, type Shadow, type Traffic, type Variant } from './traffic.ts';
import { refuseUnreadable } from './versions/refuse-unreadable.ts';

export interface EndpointState {
  readonly name: string;
  readonly model: string;
  readonly unit: readonly string[];
  /** Made once, kept for ever: with the unit it decides the variant. */
  readonly salt: string;
  /** Empty until a version is registered or traffic is set; else their weights sum to 100. */
  readonly variants: readonly Variant[];
  readonly shadows: readonly Shadow[];
  readonly revision: number;
  /** A strong ETag, quotes included. */
  readonly etag: string;
}

export interface EndpointRegistry {
  list(): Promise<EndpointState[]>;
  /** Throws HR_UNKNOWN_ENDPOINT. */
  get(name: string): Promise<EndpointState>;
  /**
   * Replaces variants, and shadows where given, by the versions that aliases mean now. With `ifMatch` (an If-Match header)
   * only when its ETag is current. Throws HR_PRECONDITION, HR_INVALID (weights, names), HR_UNKNOWN_MODEL (a version or alias), HR_UNKNOWN_ENDPOINT.
   */
  setTraffic(
    name: string,
    traffic: Traffic,
    options: { readonly ifMatch?: string; readonly actor: string; readonly reason?: string },
  ): Promise<EndpointState>;
}

type RecordChange = (entry: AuditEntry) => Promise<void>;

export function createEndpointRegistry(store: RegistryStore): EndpointRegistry {
  return {
    async list() {
      const rows = await store.db
        .selectFrom('registry_endpoints')
        .selectAll()
        .where('is_retired', '=', 0)
        .orderBy('name')
        .execute();
      return rows.map(toState);
    },
    get: (name) => readEndpoint(store.db, name),
    setTraffic: (name, traffic, { ifMatch, actor, reason }) =>
      store.change(async (trx, record) => {
        const before = await readEndpoint(trx, name);
        if (ifMatch !== undefined && !matches(ifMatch, before.etag)) {
          const given = ifMatch.slice(0, 80);
          const sentence = `endpoint "${name}" is at ETag ${before.etag}, If-Match has ${given}; get it again`;
          throw new HeadraceError('HR_PRECONDITION', sentence);
        }
        const versions = await readVersions(trx, before.model);
        const { variants, shadows = before.shadows } = resolveTraffic(traffic, before.model, versions);
        // Of one that is served already the weight alone changes.
        const served = new Set([...before.variants, ...before.shadows].map(({ version }) => version));
        const begun = [...variants, ...shadows].map(({ version }) => version).filter((version) => !served.has(version));
        await refuseUnreadable(
          trx,
          versions.filter(({ version }) => begun.includes(version)),
        );
        return writeTraffic(trx, record, before, variants, shadows, actor, reason);
      }),
  };
}

/** Names of the endpoints that give a version traffic, or shadow with it. */
export async function endpointsServing(trx: RegistryDb, model: string, version: number): Promise<string[]> {
  return (await endpointsOf(trx, model))
    .filter(({ variants, shadows }) => [...variants, ...shadows].some((one) => one.version === version))
    .map(({ name }) => name);
}

/** Those of a model that are not retired, by name. */
async function endpointsOf(trx: RegistryDb, model: string): Promise<EndpointState[]> {
  const rows = await trx
    .selectFrom('registry_endpoints')
    .selectAll()
    .where('model', '=', model)
    .where('is_retired', '=', 0)
    .orderBy('name')
    .execute();
  return rows.map(toState);
}

/** Gives a model's endpoints that have no traffic the model's first version, so that a prediction works at once. */
export async function startTraffic(trx: RegistryDb, record: RecordChange, model: string, actor: string): Promise<void> {
  for (const endpoint of await endpointsOf(trx, model)) {
    if (endpoint.variants.length > 0) continue;
    await writeTraffic(trx, record, endpoint, [{ name: 'stable', version: 1, weight: 100 }], endpoint.shadows, actor);
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
      };
      await trx.insertInto('registry_endpoints').values(made).execute();
      await record({ actor, action: 'endpoint.create', object, after: toState(made) });
      continue;
    }
    const keepsTraffic = row.is_retired === 0 && row.model === spec.model;
    if (keepsTraffic && row.unit === unit) continue;
    const changed = {
      ...row,
      ...(keepsTraffic ? {} : NO_TRAFFIC),
      model: spec.model,
      unit,
      revision: row.revision + 1,
      is_retired: 0,
    };
    await trx.updateTable('registry_endpoints').set(changed).where('name', '=', spec.name).execute();
    await record({ actor, action: 'endpoint.change', object, before: toState(row), after: toState(changed) });
  }
  for (const row of rows) {
    if (row.is_retired === 1 || Object.hasOwn(specs, row.name)) continue;
    await trx
      .updateTable('registry_endpoints')
      .set({ ...NO_TRAFFIC, revision: row.revision + 1, is_retired: 1 })
      .where('name', '=', row.name)
      .execute();
    await record({ actor, action: 'endpoint.retire', object: `endpoint/${row.name}`, before: toState(row) });
  }
}

const NO_TRAFFIC = { variants: '[]', shadows: '[]' };

async function writeTraffic(
  trx: RegistryDb,
  record: RecordChange,
  before: EndpointState,
  variants: readonly Variant[],
  shadows: readonly Shadow[],
  actor: string,
  reason?: string,
): Promise<EndpointState> {
  const revision = before.revision + 1;
  const after = { ...before, variants, shadows, revision, etag: etagOf(revision) };
  await trx
    .updateTable('registry_endpoints')
    .set({ variants: canonicalJson(variants), shadows: canonicalJson(shadows), revision })
    .where('name', '=', before.name)
    .execute();
  await record({ actor, action: 'endpoint.traffic', object: `endpoint/${before.name}`, before, after, reason });
  return after;
}

async function readEndpoint(db: RegistryDb, name: string): Promise<EndpointState> {
  const rows = await db.selectFrom('registry_endpoints').selectAll().where('is_retired', '=', 0).execute();
  const row = rows.find((candidate) => candidate.name === name);
  if (row !== undefined) return toState(row);
  const known = rows.map((candidate) => candidate.name);
  throw new HeadraceError(
    'HR_UNKNOWN_ENDPOINT',
    `there is no endpoint "${name}".${didYouMeanOf('endpoints', name, known)}`,
  );
}

function toState(row: RegistryTables['registry_endpoints']): EndpointState {
  return {
    name: row.name,
    model: row.model,
    // These texts are written from values of the types that they are read as.
    unit: parseJson(row.unit) as string[],
    salt: row.salt,
    variants: parseJson(row.variants) as unknown as Variant[],
    shadows: parseJson(row.shadows) as unknown as Shadow[],
    revision: row.revision,
    etag: etagOf(row.revision),
  };
}

function etagOf(revision: number): string {
  return `"r${revision}"`;
}

/** RFC 9110's If-Match: `*` or a list of strong ETags; one without its quotes is taken too. */
function matches(ifMatch: string, etag: string): boolean {
  const given = ifMatch.split(',').map((tag) => tag.trim());
  return given.some((tag) => tag === '*' || tag === etag || `"${tag}"` === etag);
}
