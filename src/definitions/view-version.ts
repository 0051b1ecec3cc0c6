// A view's stored version: `name@hash` of everything that gives its values meaning. Two definitions of one hash are one
// version, whatever their features are called; any other keeps records of its own, beside the old ones.

import { canonicalJson, contentHash, type Field } from '../core/index.ts';
import { isLogAlone } from './log-alone.ts';
import { settingApart } from './expectations.ts';
import { own } from './own.ts';
import { featureColumns } from './source-columns.ts';
import type { Definitions, DeriveSpec, EntitySpec, Manifest, QueriedSource, SourceSpec, ViewSpec } from './manifest.ts';

export interface VersionEpoch {
  /** `view@hash`: what its records lie under. */
  readonly version: string;
  /** Grows each time that the version comes back after it was removed. */
  readonly epoch: number;
}

/** A version of a view that is kept, with what defines it. */
export interface RegisteredVersion extends VersionEpoch {
  /** The view's name in `definitions`. */
  readonly view: string;
  readonly definitions: Definitions;
}

/** The same as it is read today: see `placedVersion`. */
export interface LiveVersion extends RegisteredVersion {
  /** Whether it is what is applied now. */
  readonly isCurrent: boolean;
}

/** Of a view of a valid manifest. */
export function viewVersion(manifest: Manifest, viewName: string): string {
  let versions = known.get(manifest);
  if (versions === undefined) known.set(manifest, (versions = new Map()));
  let version = versions.get(viewName);
  if (version === undefined) {
    // The manifest was validated: what it names is in it.
    const view = manifest.views[viewName] as ViewSpec;
    const entity = manifest.entities[view.entity] as EntitySpec;
    const source = manifest.sources[view.source] as SourceSpec;
    version = `${storedName(view)}@${contentHash(meaningOf(manifest, view, entity, source)).slice(0, 12)}`;
    versions.set(viewName, version);
  }
  return version;
}

// A manifest never changes.
const known = new WeakMap<Manifest, Map<string, string>>();

/** The name under which a view's or an entity's data lies: the first that it had. */
export function storedName({ name, storedAs }: { readonly name: string; readonly storedAs?: string }): string {
  return storedAs ?? name;
}

/** The stored name that a version begins with. */
export function viewOfVersion(version: string): string {
  return version.slice(0, version.lastIndexOf('@'));
}

/** The source that a view is made of. */
export function sourceOfView(
  { manifest: { views, sources } }: Pick<Definitions, 'manifest'>,
  view: string,
): SourceSpec {
  // The manifest was validated: what it names is in it.
  return sources[views[view]?.source ?? ''] as SourceSpec;
}

/**
 * What people call a version, with the view's name of today or the one its data lies under, as it is stored. `kept`: the
 * versions that there are; one of them is meant by its own name, though a view of today has it too.
 */
export function versionNamed({ views }: Manifest, name: string, kept: readonly string[]): string {
  if (kept.includes(name)) return name;
  const view = own(views, viewOfVersion(name));
  return view === undefined ? name : storedName(view) + name.slice(name.lastIndexOf('@'));
}

/** Every view of the definitions in its own version, as if none had ever been removed. */
export function versionsOf(definitions: Definitions): readonly LiveVersion[] {
  return Object.keys(definitions.manifest.views).map((view) => ({
    version: viewVersion(definitions.manifest, view),
    epoch: 1,
    view,
    definitions,
    isCurrent: true,
  }));
}

// Names of features, keys and the view are left out: a rename moves no data. So is where a source lies: the same facts may
// move, and a run sees by its snapshot that files are others. A query is meaning: it says which rows there are.
function meaningOf(manifest: Manifest, view: ViewSpec, entity: EntitySpec, source: SourceSpec): unknown {
  const { eventTime, knownTime, createdOrder, tombstone } = source;
  const { query } = source.location;
  const aggregations = new Map(view.features.map(({ aggregation }) => [contentHash(aggregation), aggregation]));
  const hasLatest = view.features.some(({ aggregation }) => aggregation.op === 'latest');
  const columns = view.features.flatMap((feature) => featureColumns(source, view, feature));
  // What is only counted or refused is no meaning: those rows that stand are what they were.
  const apart = settingApart(source);
  return {
    format: 1,
    entity: storedName(entity),
    keys: view.keyColumns.map((column, at) => [column, (entity.keys[at] as Field).type]),
    source: [source.name, isLogAlone(source), source.pushes, ...(query === undefined ? [] : [query])],
    ...(source.over === undefined ? {} : { over: source.over.map((one) => queriedMeaning(manifest, one)) }),
    times: [eventTime, knownTime, createdOrder ?? null, tombstone ?? null],
    columns: [...new Set(columns)].sort().map((column) => columnMeaning(source, column)),
    // Their order makes no difference, and two of the same are one.
    aggregations: [...aggregations.keys()].sort().map((hash) => aggregations.get(hash)),
    ttl: hasLatest ? view.ttlMicros : null,
    freshness: view.freshness,
    ...(apart.length === 0 ? {} : { apart }),
  };
}

// A query may make anything of all that its sources have.
function queriedMeaning(manifest: Manifest, { source: name, isStatic }: QueriedSource): unknown {
  const source = manifest.sources[name] as SourceSpec;
  const { columns, derive, eventTime, knownTime, pushes, over = [] } = source;
  const apart = settingApart(source);
  return {
    name,
    isStatic,
    times: isStatic ? [] : [eventTime, knownTime, pushes],
    columns: [...columns, ...derive].map((column) => columnMeaning(source, column.name)).sort(byText),
    query: source.location['query'] ?? null,
    over: over.map((one) => queriedMeaning(manifest, one)),
    ...(apart.length === 0 ? {} : { apart }),
  };
}

function byText(a: unknown, b: unknown): number {
  return canonicalJson(a) < canonicalJson(b) ? -1 : 1;
}

function columnMeaning(source: SourceSpec, name: string): unknown {
  const derived = source.derive.find((candidate) => candidate.name === name);
  if (derived !== undefined) return [name, derived.type, codeMeaning(source, derived)];
  return [name, source.columns.find((candidate) => candidate.name === name)?.type ?? null];
}

// A function gets the whole row; what it gets of it counts, as far as that can be told.
function codeMeaning(source: SourceSpec, { by }: DeriveSpec): unknown {
  if (by.kind === 'sql') return ['sql', by.sql, typesOf(source.columns)];
  const { hash, reads } = by.function;
  return ['function', hash, typesOf(source.columns.filter(({ name }) => reads === undefined || reads.includes(name)))];
}

function typesOf(fields: readonly Field[]): unknown {
  return fields.map(({ name, type }) => [name, type]).sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}
