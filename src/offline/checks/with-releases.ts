// The releases that a piece of offline work goes by: one list for all its passes, asked for where a source sets rows apart.

import { loadReleases } from '../../checks/index.ts';
import { settingApart, type SourceSpec } from '../../definitions/index.ts';
import type { OfflineDeps } from '../offline-deps.ts';

export async function withReleases<Deps extends Pick<OfflineDeps, 'database'>>(
  deps: Deps,
  sources: readonly SourceSpec[],
  last?: number,
): Promise<Deps> {
  if (!sources.some((source) => settingApart(source).length > 0)) return deps;
  return { ...deps, released: await loadReleases(deps.database, last) };
}
