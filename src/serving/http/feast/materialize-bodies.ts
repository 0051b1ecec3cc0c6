// The bodies of Feast's requests for materializing: a range of time, or up to a time, of some views or of all.

import { describe, invalid, type Micros, parseTimestamp } from '../../../core/index.ts';
import { type Manifest, own } from '../../../definitions/index.ts';
import type { AskedMaterialize } from '../../feast/materialize.ts';
import { unknownFeatureView } from '../../features/unknown-view.ts';
import { membersOf } from './feast-bodies.ts';

/** Of `/materialize`. A time that has not come yet is now. Throws HR_INVALID, HR_UNKNOWN_VIEW. */
export function parseMaterialize(body: unknown, manifest: Manifest, now: Micros): AskedMaterialize {
  const members = membersOf(body);
  const { start_ts, end_ts, disable_event_timestamp } = members;
  const views = viewsOf(members, manifest);
  if (disable_event_timestamp === true) return { ...views, incremental: false };
  const from = timeOf('start_ts', start_ts);
  const to = timeOf('end_ts', end_ts);
  if (from >= to) throw invalid([{ path: 'start_ts', message: 'expected a time before end_ts' }]);
  return { ...views, incremental: false, from, ...upTo(to, now) };
}

/** Of `/materialize-incremental`. The same. */
export function parseIncremental(body: unknown, manifest: Manifest, now: Micros): AskedMaterialize {
  const members = membersOf(body);
  return { ...viewsOf(members, manifest), incremental: true, ...upTo(timeOf('end_ts', members['end_ts']), now) };
}

function upTo(to: Micros, now: Micros): { readonly to?: Micros } {
  return to < now ? { to } : {};
}

function timeOf(path: string, json: unknown): Micros {
  const micros = typeof json === 'string' ? parseTimestamp(json) : undefined;
  if (micros !== undefined) return micros;
  throw invalid([{ path, message: `expected a time such as "2026-01-31T00:00:00", got ${describe(json)}` }]);
}

function viewsOf(
  { feature_views: views, version }: Readonly<Record<string, unknown>>,
  manifest: Manifest,
): { readonly views?: readonly string[] } {
  if (version !== undefined && version !== null)
    throw invalid([{ path: 'version', message: 'views are read as they are applied, and have no numbered versions' }]);
  if (views === undefined || views === null) return {};
  if (!Array.isArray(views) || views.length === 0) {
    const message = `expected names of feature views, or nothing for all, got ${describe(views)}`;
    throw invalid([{ path: 'feature_views', message }]);
  }
  return { views: views.map((name: unknown, at) => viewOf(`feature_views[${at}]`, name, manifest)) };
}

function viewOf(path: string, name: unknown, { views }: Manifest): string {
  if (typeof name !== 'string') throw invalid([{ path, message: `expected text, got ${describe(name)}` }]);
  if (own(views, name) !== undefined) return name;
  throw unknownFeatureView(name, Object.keys(views));
}
