// Which versions of views a materialize fills: by the views' names, or by versions.

import { didYouMeanOf, HeadraceError } from '../../core/index.ts';
import { type LiveVersion, own, storedName, viewOfVersion } from '../../definitions/index.ts';
import { keptVersions } from '../kept-versions.ts';
import type { OfflineDeps } from '../offline-deps.ts';

type Kept = Pick<OfflineDeps, 'definitions' | 'versions'>;

/** All that are kept when `names` is left out. Throws HR_UNKNOWN_VIEW. */
export function chooseVersions(deps: Kept, names: readonly string[] | undefined): readonly LiveVersion[] {
  const kept = keptVersions(deps);
  if (names === undefined) return kept;
  const chosen = new Set<LiveVersion>();
  for (const name of names) {
    const found = kept.filter((one) => isNamed(deps, one, name));
    if (found.length === 0) throw unknownView(deps, kept, name);
    for (const one of found) chosen.add(one);
  }
  return [...chosen];
}

/** The view's name where the version is the one that is applied, else the version. */
export function labelOf({ version, view, isCurrent }: LiveVersion): string {
  return isCurrent ? view : version;
}

function isNamed({ definitions: { manifest } }: Kept, { version, view }: LiveVersion, name: string): boolean {
  if (version === name) return true;
  const spec = own(manifest.views, name);
  return spec === undefined ? view === name : viewOfVersion(version) === storedName(spec);
}

function unknownView({ definitions: { manifest } }: Kept, kept: readonly LiveVersion[], name: string): HeadraceError {
  const isVersion = name.includes('@');
  const known = isVersion ? kept.map(({ version }) => version) : Object.keys(manifest.views);
  const what = isVersion ? 'version' : 'feature view';
  return new HeadraceError(
    'HR_UNKNOWN_VIEW',
    `there is no ${what} "${name}".${didYouMeanOf(isVersion ? 'versions that are kept' : 'feature views', name, known)}`,
  );
}
