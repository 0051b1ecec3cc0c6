// A kept version as it is read today. Where a source lies is no part of what its facts mean, so they are read where they
// lie by now.

import { canonicalJson } from '../core/index.ts';
import { isLogAlone } from './log-alone.ts';
import type { Definitions, Manifest, SourceSpec } from './manifest.ts';
import { own } from './own.ts';
import { type LiveVersion, type RegisteredVersion, viewVersion } from './view-version.ts';

/**
 * `registered`: by the definitions that first had it. One that is applied, by what is applied, which means the same; another by its own definitions, with its source where
 * that is by now. The same definitions for as long as both stay the same.
 */
export function placedVersion(registered: RegisteredVersion, applied: Definitions): LiveVersion {
  const { version, epoch, view, definitions } = registered;
  const today = currentViews(applied.manifest).get(version);
  if (today !== undefined) return { version, epoch, view: today, definitions: applied, isCurrent: true };
  return { version, epoch, view, definitions: placedDefinitions(definitions, applied), isCurrent: false };
}

/** Views by their versions. */
function currentViews(manifest: Manifest): ReadonlyMap<string, string> {
  let views = current.get(manifest);
  if (views === undefined) {
    views = new Map(Object.keys(manifest.views).map((view) => [viewVersion(manifest, view), view]));
    current.set(manifest, views);
  }
  return views;
}

const current = new WeakMap<Manifest, ReadonlyMap<string, string>>();
const known = new WeakMap<Definitions, { readonly applied: Definitions; readonly placed: Definitions }>();

/** Definitions of before, with their sources where those are by now. */
export function placedDefinitions(definitions: Definitions, applied: Definitions): Definitions {
  if (definitions === applied) return definitions;
  const before = known.get(definitions);
  if (before?.applied === applied) return before.placed;
  const { manifest } = definitions;
  const moved = Object.values(manifest.sources).flatMap((source) => {
    const now = own(applied.manifest.sources, source.name);
    return now === undefined || !isMoved(source, now) ? [] : [[source.name, moveTo(source, now)]];
  });
  const sources = { ...manifest.sources, ...Object.fromEntries(moved) };
  const result = moved.length === 0 ? definitions : { ...definitions, manifest: { ...manifest, sources } };
  known.set(definitions, { applied, placed: result });
  return result;
}

const PLACE = ['path', 'connection', 'catalog', 'table'] as const;

function isMoved(source: SourceSpec, now: SourceSpec): boolean {
  // One that became pushed, or was, lies in no database any more that could answer its query, or is a query now has other
  // facts.
  if (isLogAlone(source) !== isLogAlone(now)) return false;
  if (source.location['query'] !== undefined && now.location['connection'] === undefined) return false;
  if (source.location['query'] === undefined && now.location['query'] !== undefined) return false;
  const isSamePlace = PLACE.every((member) => source.location[member] === now.location[member]);
  const isSamePromise =
    source.completeAfterMicros === now.completeAfterMicros && isEqual(source.partitions, now.partitions);
  return !isSamePlace || source.kind !== now.kind || !isSamePromise;
}

function isEqual(a: SourceSpec['partitions'], b: SourceSpec['partitions']): boolean {
  return canonicalJson(a ?? null) === canonicalJson(b ?? null);
}

/** A query says which rows there are, so it stays. */
function moveTo(source: SourceSpec, { kind, location, completeAfterMicros, partitions }: SourceSpec): SourceSpec {
  const { completeAfterMicros: _, partitions: _partitions, ...rest } = source;
  const { query } = source.location;
  const { query: _query, table: _table, ...place } = location;
  return {
    ...rest,
    kind,
    location: query === undefined ? location : { ...place, query },
    ...(completeAfterMicros === undefined ? {} : { completeAfterMicros }),
    ...(partitions === undefined ? {} : { partitions }),
  };
}
