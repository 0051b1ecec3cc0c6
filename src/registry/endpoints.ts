// Endpoints: they come and go with the applied definitions; which versions they serve is set here.

import { setTimeout as delay } from 'node:timers/promises';
import { canonicalJson, didYouMeanOf, HeadraceError, parseJson } from '../core/index.ts';
import type { EndpointSpec } from '../definitions/index.ts';
import { readVersions } from './model-versions.ts';
import type { RegistryTables } from './schema.ts';
import type { AuditEntry, RegistryDb, RegistryStore } from './store.ts';
import { resolveTraffic, type Shadow, type Traffic, type Variant } from './traffic.ts';
import { judgeChange, type TrafficChange } from './traffic-change.ts';
import { readTrafficRevision, type TrafficRevision } from './traffic-revision.ts';
import { refuseUnreadable } from './versions/refuse-unreadable.ts';
import type { Servers } from './versions/servers.ts';

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
  /** The last change that was asked for, on its way or at its end; null where none says anything any more. */
  readonly change: TrafficChange | null;
}

export interface EndpointRegistry {
  list(): Promise<EndpointState[]>;
  /** Throws HR_UNKNOWN_ENDPOINT. */
  get(name: string): Promise<EndpointState>;
  /**
   * Asks for other variants, and shadows where given, by the versions that aliases mean now, and waits until every live
   * server has loaded them: then they are active everywhere. After `waitMs` (10 s) it gives the state with a `change` that
   * is still `preparing`; the servers go on. With `ifMatch` (an If-Match header) only when its ETag is current. Throws
   * HR_PRECONDITION, HR_INVALID (weights, names), HR_UNKNOWN_MODEL (a version or alias), HR_UNKNOWN_ENDPOINT,
   * HR_NOT_PREPARED with each server's reason when one can't load them (nothing has changed then), HR_CONFLICT when another
   * change came after.
   */
  setTraffic(name: string, traffic: Traffic, options: SetTraffic): Promise<EndpointState>;
  /** Looks whether a change that is being prepared can be active now, or has failed; for servers, at every poll. */
  settleTraffic(name: string): Promise<EndpointState>;
  /** What became of a revision. Throws HR_UNKNOWN_ENDPOINT, HR_UNKNOWN_REVISION. */
  trafficRevision(name: string, revision: number): Promise<TrafficRevision>;
}

export interface SetTraffic {
  readonly actor: string;
  readonly ifMatch?: string;
  /** Why, for the audit log. */
  readonly reason?: string;
  readonly waitMs?: number;
}

const WAIT_MS = 10_000;
const LOOK_MS = 50;

type RecordChange = (entry: AuditEntry) => Promise<void>;

export function createEndpointRegistry(store: RegistryStore, servers: Pick<Servers, 'list'>): EndpointRegistry {
  const ask = (name: string, traffic: Traffic, { ifMatch, actor, reason }: SetTraffic): Promise<TrafficChange> =>
    store.change(async (trx, record) => {
      const before = await readEndpoint(trx, name);
      checkMatch(before, ifMatch);
      const versions = await readVersions(trx, before.model);
      const { variants, shadows = before.shadows } = resolveTraffic(traffic, before.model, versions);
      // Of one that is served already the weight alone changes.
      const served = new Set([...before.variants, ...before.shadows].map(({ version }) => version));
      const begun = [...variants, ...shadows].map(({ version }) => version).filter((version) => !served.has(version));
      await refuseUnreadable(
        trx,
        versions.filter(({ version }) => begun.includes(version)),
      );
      const change: TrafficChange = {
        revision: nextRevision(before),
        variants,
        shadows,
        state: 'preparing',
        failures: [],
        askedMicros: store.now(),
        actor,
        reason: reason ?? null,
      };
      await writeChange(trx, name, change);
      await record({
        actor,
        action: 'endpoint.traffic.ask',
        object: `endpoint/${name}`,
        after: change,
        ...(reason === undefined ? {} : { reason }),
      });
      return change;
    });

  const settleTraffic = async (name: string): Promise<EndpointState> => {
    const seen = await readEndpoint(store.db, name);
    if (seen.change?.state !== 'preparing') return seen;
    const verdict = judgeChange(name, seen.change, await servers.list());
    if (verdict.kind === 'waiting') return seen;
    return store.change(async (trx, record) => {
      const before = await readEndpoint(trx, name);
      const { change } = before;
      // Another server was first, or another change came after.
      if (change?.state !== 'preparing' || change.revision !== seen.change?.revision) return before;
      if (verdict.kind === 'prepared') return writeTraffic(trx, record, before, { ...change, state: 'active' });
      const failed: TrafficChange = { ...change, state: 'failed', failures: verdict.failures };
      await writeChange(trx, name, failed);
      const { actor } = change;
      await record({ actor, action: 'endpoint.traffic.failed', object: `endpoint/${name}`, after: failed });
      return { ...before, change: failed };
    });
  };

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
    async setTraffic(name, traffic, options) {
      const { revision } = await ask(name, traffic, options);
      const endMs = performance.now() + (options.waitMs ?? WAIT_MS);
      for (;;) {
        const state = await settleTraffic(name);
        if (state.change?.revision !== revision) {
          if (await wasActive(store.db, name, revision)) return state;
          throw supersededChange(name, revision, state);
        }
        if (state.change.state === 'failed') throw failedChange(name, state.change);
        if (state.change.state === 'active' || performance.now() >= endMs) return state;
        await delay(LOOK_MS);
      }
    },
    settleTraffic,
    trafficRevision: async (name, revision) =>
      readTrafficRevision(store.db, await readEndpoint(store.db, name), revision),
  };
}

function checkMatch({ name, etag, change }: EndpointState, ifMatch: string | undefined): void {
  if (ifMatch === undefined) return;
  const given = ifMatch.slice(0, 80);
  if (!matches(ifMatch, etag)) {
    const sentence = `endpoint "${name}" is at ETag ${etag}, If-Match has ${given}; get it again`;
    throw new HeadraceError('HR_PRECONDITION', sentence);
  }
  if (change?.state !== 'preparing') return;
  const sentence = `revision ${change.revision} of endpoint "${name}" is being prepared, which If-Match ${given} knows nothing of; get it again`;
  throw new HeadraceError('HR_PRECONDITION', sentence);
}

function failedChange(name: string, { revision, failures }: TrafficChange): HeadraceError {
  const reasons = failures.map(({ server, reason }) => `${server}: ${reason}`).join('; ');
  return new HeadraceError(
    'HR_NOT_PREPARED',
    `revision ${revision} of endpoint "${name}" can't be served, so nothing has changed. ${reasons}`,
    { details: failures.map(({ server, reason }) => ({ path: server, message: reason })) },
  );
}

function supersededChange(name: string, revision: number, { change }: EndpointState): HeadraceError {
  const by = change === null ? 'other definitions were applied' : `revision ${change.revision} was asked for after it`;
  return new HeadraceError('HR_CONFLICT', `revision ${revision} of endpoint "${name}" never was active: ${by}`);
}

/** By the audit log: another may have been asked for right after. */
async function wasActive(db: RegistryDb, name: string, revision: number): Promise<boolean> {
  const rows = await db
    .selectFrom('registry_audit')
    .select('after')
    .where('object', '=', `endpoint/${name}`)
    .where('action', '=', 'endpoint.traffic')
    .orderBy('id', 'desc')
    .limit(10)
    .execute();
  return rows.some(({ after }) => after !== null && (parseJson(after) as { revision?: number }).revision === revision);
}

function nextRevision({ revision, change }: EndpointState): number {
  return Math.max(revision, change?.revision ?? 0) + 1;
}

async function writeChange(trx: RegistryDb, name: string, change: TrafficChange): Promise<void> {
  const text = canonicalJson(change);
  await trx.updateTable('registry_endpoints').set({ change: text }).where('name', '=', name).execute();
}

/** Names of the endpoints that give a version traffic, or shadow with it. */
export async function endpointsServing(trx: RegistryDb, model: string, version: number): Promise<string[]> {
  return (await endpointsOf(trx, model))
    .filter(({ variants, shadows, change }) => {
      const asked = change?.state === 'preparing' ? [...change.variants, ...change.shadows] : [];
      return [...variants, ...shadows, ...asked].some((one) => one.version === version);
    })
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
    // Nothing is served yet that could suffer.
    await writeTraffic(trx, record, endpoint, {
      revision: nextRevision(endpoint),
      variants: [{ name: 'stable', version: 1, weight: 100 }],
      shadows: endpoint.shadows,
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
    await trx
      .updateTable('registry_endpoints')
      .set({ ...NO_TRAFFIC, revision: nextRevision(toState(row)), is_retired: 1, change: null })
      .where('name', '=', row.name)
      .execute();
    await record({ actor, action: 'endpoint.retire', object: `endpoint/${row.name}`, before: toState(row) });
  }
}

const NO_TRAFFIC = { variants: '[]', shadows: '[]' };

/** `given`: a change that has become active, or traffic that nobody had to prepare. */
async function writeTraffic(
  trx: RegistryDb,
  record: RecordChange,
  before: EndpointState,
  given: TrafficChange | Omit<TrafficChange, 'state' | 'failures' | 'askedMicros'>,
): Promise<EndpointState> {
  const { revision, variants, shadows, actor, reason } = given;
  const change = 'state' in given ? given : null;
  const after = { ...before, variants, shadows, revision, etag: etagOf(revision), change };
  await trx
    .updateTable('registry_endpoints')
    .set({
      variants: canonicalJson(variants),
      shadows: canonicalJson(shadows),
      revision,
      change: change === null ? null : canonicalJson(change),
    })
    .where('name', '=', before.name)
    .execute();
  await record({
    actor,
    action: 'endpoint.traffic',
    object: `endpoint/${before.name}`,
    before: trafficOf(before),
    after: trafficOf(after),
    ...(reason === null ? {} : { reason }),
  });
  return after;
}

function trafficOf({ name, model, unit, salt, variants, shadows, revision, etag }: EndpointState): object {
  return { name, model, unit, salt, variants, shadows, revision, etag };
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
    change: row.change === null ? null : (parseJson(row.change) as unknown as TrafficChange),
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
