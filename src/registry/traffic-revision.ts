// What became of one revision of an endpoint's traffic, however long ago: the endpoint's row says what is active and on its way,
// the audit log all else.

import { HeadraceError, type Json, type Micros, parseJson } from '../core/index.ts';
import { type EndpointState, withRanges } from './endpoint-rows.ts';
import type { RegistryDb } from './store.ts';
import type { LiveExperiment } from './live-experiment.ts';
import type { Shadow, Variant } from './traffic.ts';
import { type ServerFailure, type TrafficChange, trafficWaitsFor } from './traffic-change.ts';
import type { ServerRow } from './versions/servers.ts';

export interface TrafficRevision {
  readonly revision: number;
  /** `superseded`: it was active until another was, or was overtaken before it could be. */
  readonly state: 'preparing' | 'active' | 'failed' | 'superseded';
  readonly variants: readonly Variant[];
  /** Empty of revisions that an older build made, where nothing tells. */
  readonly shadows: readonly Shadow[];
  readonly experiments: readonly LiveExperiment[];
  readonly failures: readonly ServerFailure[];
  /** Live servers that have yet to load it, while it is being prepared, or to answer by it, where it is active. */
  readonly waitsFor: readonly string[];
  /** Null where nobody asked: definitions, or a model's first version, made it. */
  readonly askedMicros: Micros | null;
  /** Null where it never was active. */
  readonly activeFromMicros: Micros | null;
  /** Null where it is active, or never was. */
  readonly activeUntilMicros: Micros | null;
  readonly reason: string | null;
  /** Id of the rollout that it ended, or ends once it is active. */
  readonly endsRollout?: string;
}

/** Throws HR_UNKNOWN_REVISION. */
export async function readTrafficRevision(
  db: RegistryDb,
  endpoint: EndpointState,
  revision: number,
  servers: readonly ServerRow[],
): Promise<TrafficRevision> {
  const { name, change, revision: active } = endpoint;
  if (revision < 1 || revision > Math.max(active, change?.revision ?? 0)) {
    const sentence = `endpoint "${name}" has no revision ${revision}; it is at ${active}`;
    throw new HeadraceError('HR_UNKNOWN_REVISION', sentence);
  }
  const rows = await rowsOf(db, name, revision);
  // Under both actions the audit log has the whole change (set-traffic.ts).
  const asked = rows.find(({ action }) => action === 'endpoint.traffic.ask')?.told as TrafficChange | undefined;
  const failed = rows.find(({ action }) => action === 'endpoint.traffic.failed')?.told as TrafficChange | undefined;
  const begun = rows.find(({ action }) => BEGINS.includes(action));
  const isActive = revision === active;
  const isOnItsWay = change?.revision === revision && change.state === 'preparing';
  const last = failed ?? asked;
  return {
    revision,
    state: isActive ? 'active' : isOnItsWay ? 'preparing' : failed === undefined ? 'superseded' : 'failed',
    variants: isActive ? endpoint.variants : withRanges(last?.variants ?? begun?.told.variants ?? []),
    shadows: isActive ? endpoint.shadows : (last?.shadows ?? begun?.told.shadows ?? []),
    experiments: isActive ? endpoint.experiments : (last?.experiments ?? begun?.told.experiments ?? []),
    failures: last?.failures ?? [],
    waitsFor: isOnItsWay
      ? trafficWaitsFor(endpoint, servers)
      : isActive
        ? trafficWaitsFor({ name, revision, change: null }, servers)
        : [],
    askedMicros: last?.askedMicros ?? null,
    activeFromMicros: begun?.at ?? null,
    activeUntilMicros: begun === undefined || isActive ? null : await endOf(db, name, begun.id),
    reason: last?.reason ?? null,
    ...(last?.endsRollout === undefined ? {} : { endsRollout: last.endsRollout }),
  };
}

/** What makes a revision the endpoint's own; all but `endpoint.create` end the one before. */
const BEGINS = ['endpoint.traffic', 'endpoint.create', 'endpoint.change'];
const ENDS = ['endpoint.traffic', 'endpoint.change', 'endpoint.retire'];

interface AuditRow {
  readonly id: number | undefined;
  readonly at: Micros;
  readonly action: string;
  readonly after: string | null;
}

interface RevisionRow {
  readonly id: number;
  readonly at: Micros;
  readonly action: string;
  readonly told: Partial<Pick<TrafficChange, 'variants' | 'shadows' | 'experiments'>>;
}

async function rowsOf(db: RegistryDb, name: string, revision: number): Promise<RevisionRow[]> {
  const rows = await db
    .selectFrom('registry_audit')
    .select(['id', 'at', 'action', 'after'])
    .where('object', '=', `endpoint/${name}`)
    .where('action', 'in', [...BEGINS, 'endpoint.traffic.ask', 'endpoint.traffic.failed'])
    // Far fewer to read: each is looked at below.
    .where('after', 'like', `%"revision":${revision},%`)
    .orderBy('id')
    .execute();
  return rowsAbout(revision, rows);
}

/** Returns the audit log's rows of changes that made this revision or were to make it; refused changes did neither. */
export function rowsAbout(revision: number, rows: readonly AuditRow[]): RevisionRow[] {
  return rows.flatMap(({ id, at, action, after }) => {
    const told = parseJson(after ?? '{}') as { readonly [name: string]: Json };
    // What was refused stands there, too, with what was asked.
    if (told['revision'] !== revision || told['refused'] !== undefined) return [];
    // The database gave the id; the registry wrote what it tells, from a change or an endpoint.
    return [{ id: id as number, at, action, told: told as unknown as RevisionRow['told'] }];
  });
}

async function endOf(db: RegistryDb, name: string, id: number): Promise<Micros | null> {
  const row = await db
    .selectFrom('registry_audit')
    .select('at')
    .where('object', '=', `endpoint/${name}`)
    .where('action', 'in', ENDS)
    // What was refused ended nothing.
    .where((where) => where.or([where('after', 'is', null), where('after', 'not like', '%"refused":%')]))
    .where('id', '>', id)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row?.at ?? null;
}
