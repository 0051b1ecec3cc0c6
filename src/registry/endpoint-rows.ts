// Endpoints as the registry keeps them: a row each, which outlives its definition.

import { canonicalJson, didYouMeanOf, HeadraceError, parseJson, withoutKeySecrets } from '../core/index.ts';
import type { RegistryTables } from './schema.ts';
import type { AuditEntry, RegistryDb } from './store.ts';
import type { LiveExperiment } from './live-experiment.ts';
import { layOut, type Shadow, type Variant } from './traffic.ts';
import type { TrafficChange } from './traffic-change.ts';

export interface EndpointState {
  readonly name: string;
  readonly model: string;
  readonly unit: readonly string[];
  /** Made once, kept for ever: with the unit it decides the variant. */
  readonly salt: string;
  /** Empty until a version is registered or traffic is set; else their weights sum to 100. */
  readonly variants: readonly Variant[];
  readonly shadows: readonly Shadow[];
  /** That run on it, in the order in which they are asked. */
  readonly experiments: readonly LiveExperiment[];
  /** Id of the rollout that alone may change the traffic; null where none is under way. */
  readonly rollout: string | null;
  /** What that rollout gives traffic, before its first step too. */
  readonly candidate: Arm | null;
  readonly revision: number;
  /** A strong ETag, quotes included. */
  readonly etag: string;
  /** The last change that was asked for, on its way or at its end; null where none says anything any more. */
  readonly change: TrafficChange | null;
}

export type Arm = Pick<Variant, 'name' | 'version'>;

/** A rollout that alone may change an endpoint's traffic. */
export interface TrafficOwner {
  readonly id: string;
  readonly candidate: Arm;
}

export type RecordChange = (entry: AuditEntry) => Promise<void>;

/** Those that are not retired, by name; of one model where given. */
export async function readEndpoints(db: RegistryDb, model?: string): Promise<EndpointState[]> {
  let query = db.selectFrom('registry_endpoints').selectAll().where('is_retired', '=', 0).orderBy('name');
  if (model !== undefined) query = query.where('model', '=', model);
  return (await query.execute()).map(toState);
}

/** Throws HR_UNKNOWN_ENDPOINT, also for one that is retired. */
export async function readEndpoint(db: RegistryDb, name: string): Promise<EndpointState> {
  const rows = await db.selectFrom('registry_endpoints').selectAll().where('is_retired', '=', 0).execute();
  const row = rows.find((candidate) => candidate.name === name);
  if (row !== undefined) return toState(row);
  const known = rows.map((candidate) => candidate.name);
  throw new HeadraceError(
    'HR_UNKNOWN_ENDPOINT',
    `there is no endpoint "${withoutKeySecrets(name)}".${didYouMeanOf('endpoints', name, known)}`,
  );
}

export function nextRevision({ revision, change }: EndpointState): number {
  return Math.max(revision, change?.revision ?? 0) + 1;
}

/** Keeps how far a change is; nothing is served by it yet. `rollout`: who may make the next one, where that changes. */
export async function writeChange(
  trx: RegistryDb,
  name: string,
  change: TrafficChange,
  rollout?: TrafficOwner | null,
): Promise<void> {
  const set = { change: canonicalJson(change), ...(rollout === undefined ? {} : ownerColumns(rollout)) };
  await trx.updateTable('registry_endpoints').set(set).where('name', '=', name).execute();
}

/** `given`: a change that has become active, or traffic that nobody had to prepare. */
export async function writeTraffic(
  trx: RegistryDb,
  record: RecordChange,
  before: EndpointState,
  given: TrafficChange | Omit<TrafficChange, 'state' | 'failures' | 'askedMicros'>,
): Promise<EndpointState> {
  const { revision, variants, shadows, experiments, actor, reason } = given;
  const change = 'state' in given ? given : null;
  // What it had until now is gone: nobody goes on guarding it.
  const isFreed = change?.endsRollout !== undefined && change.endsRollout === before.rollout;
  const freed = isFreed ? { rollout: null, candidate: null } : {};
  const after = { ...before, variants, shadows, experiments, ...freed, revision, etag: etagOf(revision), change };
  await trx
    .updateTable('registry_endpoints')
    .set({
      variants: canonicalJson(variants),
      shadows: canonicalJson(shadows),
      experiments: canonicalJson(experiments),
      ...freed,
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

/** What of an endpoint its traffic is, for the audit log. */
export function trafficOf(state: EndpointState): Omit<EndpointState, 'change'> {
  const { change: _, ...traffic } = state;
  return traffic;
}

export function toState(row: RegistryTables['registry_endpoints']): EndpointState {
  return {
    name: row.name,
    model: row.model,
    // These texts are written from values of the types that they are read as.
    unit: parseJson(row.unit) as string[],
    salt: row.salt,
    variants: withRanges(parseJson(row.variants) as unknown as Variant[]),
    shadows: parseJson(row.shadows) as unknown as Shadow[],
    experiments: parseJson(row.experiments) as unknown as LiveExperiment[],
    rollout: row.rollout,
    candidate: row.candidate === null ? null : (parseJson(row.candidate) as unknown as Arm),
    revision: row.revision,
    etag: etagOf(row.revision),
    change: row.change === null ? null : toChange(parseJson(row.change) as unknown as TrafficChange),
  };
}

function ownerColumns(owner: TrafficOwner | null): Pick<RegistryTables['registry_endpoints'], 'rollout' | 'candidate'> {
  return { rollout: owner?.id ?? null, candidate: owner === null ? null : canonicalJson(owner.candidate) };
}

/** One of an earlier release knows of no experiments. */
function toChange(change: TrafficChange): TrafficChange {
  return { ...change, variants: withRanges(change.variants), experiments: change.experiments ?? [] };
}

/** What an earlier release wrote has weights alone: everybody lays it out alike. */
export function withRanges(variants: readonly Variant[]): readonly Variant[] {
  return variants.every(({ ranges }) => ranges !== undefined) ? variants : layOut([], variants);
}

function etagOf(revision: number): string {
  return `"r${revision}"`;
}
