// A write to a view, as Feast's clients do it, as a push of events: of a view that is no more than the newest row of a source
// that is pushed. What is computed from events can't be written, and is told so.

import { HeadraceError } from '../../core/index.ts';
import { type EntitySpec, type Manifest, own, type SourceSpec, type ViewSpec } from '../../definitions/index.ts';
import { unknownFeatureView } from '../features/unknown-view.ts';
import { type JsonRow, pushedRows } from './pushed-rows.ts';

export interface WrittenView {
  /** The source whose events the rows are. */
  readonly source: string;
  readonly rows: readonly JsonRow[];
}

/** Throws HR_UNKNOWN_VIEW, and HR_INVALID where the view is not written to, or `df` holds no rows. */
export function writtenView(manifest: Manifest, name: string, df: unknown): WrittenView {
  const view = own(manifest.views, name);
  if (view === undefined) throw unknownFeatureView(name, Object.keys(manifest.views));
  // A valid manifest has both.
  const source = own(manifest.sources, view.source) as SourceSpec;
  const entity = own(manifest.entities, view.entity) as EntitySpec;
  const reason = whyNot(manifest, view, source);
  if (reason !== undefined) throw new HeadraceError('HR_INVALID', `view "${name}" is not written to: ${reason}`);
  const names = new Map(entity.keys.map((key, at) => [key.name, view.keyColumns[at] as string]));
  for (const { name: feature, aggregation } of view.features)
    if (aggregation.op === 'latest') names.set(feature, aggregation.column);
  return { source: source.name, rows: pushedRows(source, df, names) };
}

function whyNot({ views }: Manifest, view: ViewSpec, source: SourceSpec): string | undefined {
  const push = `Push events to the source: POST /push {"push_source_name": "${source.name}", "df": …}.`;
  if (source.kind !== 'pushed')
    return `it is computed from source "${source.name}", which is not pushed. Run \`headrace materialize\` where that has new rows.`;
  const computed = view.features.find(({ aggregation }) => aggregation.op !== 'latest');
  if (computed !== undefined)
    return `its feature "${computed.name}" is computed from all events of source "${source.name}". ${push}`;
  const derived = view.features.find(
    ({ aggregation: { column } }) => !source.columns.some(({ name }) => name === column),
  );
  if (derived !== undefined)
    return `its feature "${derived.name}" is derived from other columns of source "${source.name}". ${push}`;
  const columns = view.features.map(({ aggregation }) => aggregation.column);
  const twice = columns.find((column, at) => columns.indexOf(column) !== at);
  if (twice !== undefined) return `several of its features are column "${twice}" of source "${source.name}". ${push}`;
  const other = Object.values(views).find((one) => one.source === source.name && one.name !== view.name);
  if (other !== undefined) return `view "${other.name}" is computed from source "${source.name}", too. ${push}`;
  return undefined;
}
