// Which columns of a source its features are computed from.

import type { Field } from '../core/index.ts';
import { ruleColumns, settingApart } from './expectations.ts';
import type { DeriveSpec, FeatureSpec, Manifest, SourceSpec, ViewSpec } from './manifest.ts';
import { own } from './own.ts';

/** Those that say when a row happened, was known, and in which order. */
function timeColumns({ eventTime, knownTime, createdOrder, tombstone }: SourceSpec): string[] {
  const known = knownTime.kind === 'column' ? [knownTime.column] : [];
  return [eventTime, ...known, createdOrder, tombstone].filter((column) => column !== undefined);
}

/** The column that says when a row was known; undefined where that is when it happened, or so long after. */
export function knownColumn({ knownTime, eventTime }: SourceSpec): string | undefined {
  return knownTime.kind === 'column' && knownTime.column !== eventTime ? knownTime.column : undefined;
}

/** Those of which a feature of a view is computed, each once, sorted: its own, the keys, the times, and by what rows are set apart. */
export function featureColumns(
  source: SourceSpec,
  { keyColumns }: ViewSpec,
  { aggregation: { column } }: FeatureSpec,
): readonly string[] {
  const aggregated = column === null ? [] : [column];
  const deciding = settingApart(source).flatMap(ruleColumns);
  return [...new Set([...keyColumns, ...timeColumns(source), ...aggregated, ...deciding])].sort();
}

/** Of a view: its declared and its derived columns that any of its values is made of. */
export interface ViewColumns {
  readonly declared: readonly Field[];
  readonly derived: readonly DeriveSpec[];
}

export function viewColumns(source: SourceSpec, view: ViewSpec): ViewColumns {
  const used = new Set(view.features.flatMap((feature) => featureColumns(source, view, feature)));
  const derived = source.derive.filter(({ name }) => used.has(name));
  for (const column of derived) for (const name of columnsRead(source, column)) used.add(name);
  return { declared: source.columns.filter(({ name }) => used.has(name)), derived };
}

/** Names of the columns that a derived one gets to see. */
export function columnsRead(source: SourceSpec, { by }: DeriveSpec): readonly string[] {
  const all = source.columns.map(({ name }) => name);
  const reads = by.kind === 'function' ? by.function.reads : undefined;
  return reads === undefined ? all : all.filter((name) => reads.includes(name));
}

function isQueried({ sources }: Manifest, name: string): boolean {
  return Object.values(sources).some(({ over = [] }) => over.some(({ source }) => source === name));
}

/** Those that any feature uses, with what the derived ones among them read. */
export function columnsInUse(manifest: Manifest, sourceName: string): ReadonlySet<string> {
  const used = new Set<string>();
  const source = own(manifest.sources, sourceName);
  if (source === undefined) return used;
  // Which columns a query reads, only its SQL knows.
  if (isQueried(manifest, sourceName)) for (const { name } of [...source.columns, ...source.derive]) used.add(name);
  for (const view of Object.values(manifest.views)) {
    if (view.source !== source.name) continue;
    const { declared, derived } = viewColumns(source, view);
    for (const { name } of [...declared, ...derived]) used.add(name);
  }
  return used;
}
