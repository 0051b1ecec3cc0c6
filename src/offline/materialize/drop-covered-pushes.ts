// Rids the push log of what finished runs have covered, where a source's pushes are kept only until then.

import type { Micros } from '../../core/index.ts';
import type { Definitions } from '../../definitions/index.ts';
import { getWatermark, type OnlineStore, type PushLog } from '../../online/index.ts';

export interface DropDeps {
  readonly definitions: Definitions;
  readonly store: OnlineStore;
  readonly pushLog?: PushLog;
}

/** Of the sources of `views`; a source is left alone while one of its views that take pushes was never materialized. */
export async function dropCoveredPushes(
  { definitions, store, pushLog }: DropDeps,
  views: readonly string[],
): Promise<void> {
  if (pushLog === undefined) return;
  const { manifest } = definitions;
  for (const source of new Set(views.map((view) => manifest.views[view]?.source))) {
    if (source === undefined || manifest.sources[source]?.pushes !== 'until-materialized') continue;
    const all = Object.values(manifest.views).filter((view) => view.source === source);
    // Scheduled views take no pushes; where there is no other, what they were materialized to is as good a bound.
    const live = all.filter((view) => view.freshness.kind === 'live');
    const bounding = live.length > 0 ? live : all;
    const watermarks = await Promise.all(bounding.map(({ name }) => getWatermark(store, name)));
    const covered = watermarks.reduce<Micros>((least, watermark) => Math.min(least, watermark ?? -Infinity), Infinity);
    if (Number.isFinite(covered)) await pushLog.dropCovered(source, covered);
  }
}
