// What a training set would be made from now, without making it: the definitions that its service reaches, the spine's content, and
// of each source what tells that its rows are the same. A cached step goes by it, and so does the id of a set.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError, type Json } from '../../core/index.ts';
import { type Manifest, own, settingApart, type SourceSpec, type ViewSpec } from '../../definitions/index.ts';
import { NOTHING_COVERED } from '../../online/index.ts';
import { startPathsAt } from '../../storage/index.ts';
import { withReleases } from '../checks/with-releases.ts';
import { readableCoverage } from '../facts/log-rows.ts';
import { openFacts } from '../facts/open-facts.ts';
import { proposeBoundary } from '../facts/propose-boundary.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { planTrainingSet, type TrainingSetPlan } from '../plan.ts';
import { openDeltaSource } from '../sources/delta/pin-delta.ts';
import { type FileHashes, openFileHashes } from '../sources/file-hashes.ts';
import { openIcebergSource } from '../sources/iceberg/pin-iceberg.ts';
import { pathValues } from '../sources/path-partitions.ts';
import { pinPath } from '../sources/pin-path.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import { queryWork } from '../sources/source-errors.ts';
import type { TrainingSetRequest } from './create-training-set.ts';

export interface SetInputs {
  /** Values that are the same for the same content, by name: `spine`, `source.orders.files`, `definitions.view.spend`. */
  readonly reads: Readonly<Record<string, Json>>;
  /** Sources of which it can't be told whether their rows are the same, each with why, as sentences without a full stop. */
  readonly unknown: readonly string[];
}

export type SetInputsRequest = Pick<TrainingSetRequest, 'service' | 'spine' | 'directory' | 'labels' | 'boundary'>;

/**
 * Reads what a set of the request would be made from. Files of this machine count by their SHA-256, kept in one table, objects of
 * S3 by their etags, tables of a lake by their snapshots, pushed events by their places. A query as the spine is run for its rows,
 * in whatever order they come. Throws as `createTrainingSet` for what can't be read.
 */
export async function readSetInputs(deps: OfflineDeps, request: SetInputsRequest): Promise<SetInputs> {
  const { manifest } = deps.definitions;
  const plan = planTrainingSet(manifest, { ...request, timestamp: '' });
  const sources = reachedSources(manifest, plan);
  const reads: Record<string, Json> = { ...definitionsReached(manifest, plan) };
  const unknown: string[] = [];
  const connection = await deps.duckdb.connect();
  const hashes = openFileHashes(deps.dataDirectory, deps.clock);
  try {
    reads['spine'] = await spineContent(connection, request, deps, hashes);
    const released = await withReleases(deps, sources);
    for (const source of sources) {
      const place = await placeOf(source, deps, hashes);
      if (typeof place === 'string') unknown.push(place);
      else Object.assign(reads, place);
      Object.assign(reads, await logContent(connection, source, released));
    }
  } finally {
    await hashes.save();
    connection.closeSync();
  }
  return { reads, unknown };
}

/**
 * The definitions that a plan reaches, each without what changes nothing that is computed. Of a view those features count that are
 * used. A change of any other definition changes none of them.
 */
export function definitionsReached(manifest: Manifest, plan: TrainingSetPlan): Readonly<Record<string, Json>> {
  const found: [string, unknown][] = [[`service.${plan.service}`, plain(own(manifest.services, plan.service))]];
  const used = new Map<ViewSpec, Set<number>>();
  for (const { view, latest, windows } of plan.reads) {
    const features = used.get(view) ?? new Set();
    for (const at of [...latest, ...windows]) features.add(at);
    used.set(view, features);
  }
  for (const [view, features] of used) {
    const kept = view.features.filter((_, at) => features.has(at));
    const meaning = plain({ ...view, features: kept.map(plain) });
    found.push([`view.${view.name}`, meaning], [`entity.${view.entity}`, plain(own(manifest.entities, view.entity))]);
  }
  for (const source of reachedSources(manifest, plan)) found.push([`source.${source.name}`, plain(source)]);
  for (const { view } of plan.transforms) found.push([`onDemandView.${view.name}`, plain(view)]);
  // Specs are plain data.
  return Object.fromEntries(found.map(([name, spec]) => [`definitions.${name}`, spec as Json]));
}

/** What people write about an object, what it was called, and when it is materialized: none of it is in a set. */
const SAYS_NOTHING: ReadonlySet<string> = new Set([
  'description',
  'owner',
  'tags',
  'renamedFrom',
  'storedAs',
  'schedule',
  'timezone',
  'catchUp',
]);

function plain(spec: object | undefined): object {
  return Object.fromEntries(Object.entries(spec ?? {}).filter(([name]) => !SAYS_NOTHING.has(name)));
}

/** Those of the plan's views, and those that queries among them read. */
function reachedSources({ sources }: Manifest, plan: TrainingSetPlan): readonly SourceSpec[] {
  const reached = new Set<SourceSpec>();
  const add = (name: string): void => {
    const source = own(sources, name);
    if (source !== undefined) reached.add(source);
  };
  for (const { view } of plan.reads) add(view.source);
  // A set's iteration comes to what is added meanwhile.
  for (const { over = [] } of reached) for (const { source } of over) add(source);
  return [...reached];
}

async function spineContent(
  connection: DuckDBConnection,
  { spine, directory = process.cwd() }: SetInputsRequest,
  deps: OfflineDeps,
  hashes: FileHashes,
): Promise<Json> {
  if (!/^\s*(SELECT|FROM|WITH)\s/i.test(spine)) {
    const owner = 'the spine';
    const pinned = await pinPath({ path: spine, directory, format: 'parquet', owner, isHeld: false }, deps);
    return await contentOf(pinned, hashes);
  }
  const query = `(${await startPathsAt(connection, spine, directory)}\n)`;
  const sums = [`hash(q)`, `hash(q, 1)`].map((one) => `CAST(sum(${one}::HUGEINT) AS VARCHAR)`);
  const read = async (sql: string) =>
    (await queryWork(`the spine ${spine} cannot be read`, 'HR_SPINE', () => connection.runAndReadAll(sql))).getRows();
  // A hash does not depend on the names of columns, nor on whether a number is a time: equal rows may be another spine.
  const columns = (await read(`DESCRIBE SELECT * FROM ${query}`)).map(([name, type]) => [String(name), String(type)]);
  const rows = await read(`SELECT CAST(count(*) AS VARCHAR), ${sums.join(', ')} FROM ${query} AS q`);
  return { columns, rows: (rows[0] ?? []).map(String) };
}

/** What its rows outside of the log are known by; a sentence where they are known by nothing. */
async function placeOf(
  source: SourceSpec,
  deps: OfflineDeps,
  hashes: FileHashes,
): Promise<Readonly<Record<string, Json>> | string> {
  const { name, kind, location } = source;
  const owner = `source "${name}"`;
  const { directory } = deps.definitions;
  switch (kind) {
    case 'parquet':
    case 'csv': {
      // The manifest was validated: a source of files has a path.
      const path = location['path'] as string;
      const pinned = await pinPath({ path, directory, format: kind, owner, isHeld: false }, deps);
      return { [`source.${name}.files`]: await contentOf(pinned, hashes) };
    }
    case 'iceberg':
    case 'delta': {
      const open = kind === 'iceberg' ? openIcebergSource : openDeltaSource;
      const { snapshot, files, deleteFiles } = await open(location, directory, owner, deps);
      // A table that was made anew counts its versions from the beginning, and names its files otherwise.
      const of = { table: snapshot.table, id: snapshot.id, files: [...files].sort(), deletes: [...deleteFiles].sort() };
      return { [`source.${name}.snapshot`]: of };
    }
    case 'query':
    case 'pushed':
    case 'kafka':
      // Its SQL is in its definition; the sources that it reads, and the log, come by themselves.
      return {};
    case 'postgres':
    case 'mysql':
    case 'snowflake':
      return `source "${name}" lies in a database (${kind}), which does not tell whether its rows have changed`;
  }
}

/** Of each file, in the order of their paths, what it holds. */
async function contentOf(pinned: PinnedSnapshot, hashes: FileHashes): Promise<Json> {
  try {
    const found: Json[] = [];
    for (const { path, etag, size } of pinned.files) {
      const content = pinned.knownBy === 'etag' ? `etag:${etag} ${size}` : await hashes.hashOf(path);
      // Folders `NAME=VALUE` are columns of the rows in them.
      const columns = pathValues(path);
      found.push(columns.size === 0 ? content : [content, Object.fromEntries(columns)]);
    }
    return found;
  } finally {
    await pinned.close();
  }
}

/** What counts of the log of a source, and what is between it and the files. */
async function logContent(
  connection: DuckDBConnection,
  source: SourceSpec,
  deps: OfflineDeps,
): Promise<Readonly<Record<string, Json>>> {
  const reads: Record<string, Json> = {};
  if (settingApart(source).length > 0)
    reads[`source.${source.name}.released`] = deps.released?.lastOf(source.name) ?? 0;
  const coverage = deps.log === undefined ? NOTHING_COVERED : await readableCoverage(deps.log);
  const { log } = await openFacts(connection, source, deps, { snapshot: null, boundary: -Infinity, coverage });
  if (log !== null) reads[`source.${source.name}.pushed`] = { ...(await log.digest()) };
  const isByTime = source.pushes !== 'keep' && (log !== null || source.completeAfterMicros !== undefined);
  const path = source.location['path'];
  if (!isByTime || path === undefined || (source.kind !== 'parquet' && source.kind !== 'csv')) return reads;
  // A row of the future moves the boundary once it is past.
  const { directory } = deps.definitions;
  const owner = `source "${source.name}"`;
  const pinned = await pinPath({ path, directory, format: source.kind, owner }, deps);
  try {
    const boundary = await proposeBoundary(connection, source, deps, pinned, deps.clock.nowMicros());
    reads[`source.${source.name}.boundary`] = Number.isFinite(boundary) ? boundary : null;
  } catch (error) {
    if (!(error instanceof HeadraceError)) throw error;
    reads[`source.${source.name}.boundary`] = error.code;
  } finally {
    await pinned.close();
  }
  return reads;
}
