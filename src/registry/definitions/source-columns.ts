// Which columns of a source its features are computed from.

import {
  type DeriveSpec,
  type FeatureSpec,
  type Manifest,
  own,
  type SourceSpec,
  type ViewSpec,
} from '../../definitions/index.ts';

/** Those that say when a row happened, was known, and in which order. */
function timeColumns({ eventTime, knownTime, createdOrder, tombstone }: SourceSpec): string[] {
  const known = knownTime.kind === 'column' ? [knownTime.column] : [];
  return [eventTime, ...known, createdOrder, tombstone].filter((column) => column !== undefined);
}

/** Those of which a feature of a view is computed, each once, sorted: its own, the keys and the times. */
export function featureColumns(
  source: SourceSpec,
  { keyColumns }: ViewSpec,
  { aggregation: { column } }: FeatureSpec,
): readonly string[] {
  const own = column === null ? [] : [column];
  return [...new Set([...keyColumns, ...timeColumns(source), ...own])].sort();
}

/** Names of the columns that a derived one gets to see. */
export function columnsRead(source: SourceSpec, { by }: DeriveSpec): readonly string[] {
  const all = source.columns.map(({ name }) => name);
  const reads = by.kind === 'function' ? by.function.reads : undefined;
  return reads === undefined ? all : all.filter((name) => reads.includes(name));
}

/** Those that any feature uses, with what the derived ones among them read. */
export function columnsInUse(manifest: Manifest, sourceName: string): ReadonlySet<string> {
  const used = new Set<string>();
  const source = own(manifest.sources, sourceName);
  if (source === undefined) return used;
  for (const view of Object.values(manifest.views)) {
    if (view.source !== source.name) continue;
    for (const feature of view.features) for (const column of featureColumns(source, view, feature)) used.add(column);
  }
  for (const derived of source.derive) {
    if (used.has(derived.name)) for (const column of columnsRead(source, derived)) used.add(column);
  }
  return used;
}
