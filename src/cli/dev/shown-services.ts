// Which services a round shows: those that a change touches.

import { canonicalJson } from '../../core/index.ts';
import { type Definitions, resolveService, viewVersion } from '../../definitions/index.ts';

/** The one that is `asked` for; else those that answer otherwise than before; else the first. */
export function shownServices(
  before: Definitions | undefined,
  after: Definitions,
  asked: string | undefined,
): readonly string[] {
  if (asked !== undefined) return [asked];
  const names = Object.keys(after.manifest.services);
  const touched =
    before === undefined ? [] : names.filter((name) => meaningOf(before, name) !== meaningOf(after, name));
  return touched.length > 0 ? touched : names.slice(0, 1);
}

/** What decides a service's answers; undefined where there is no such service. */
function meaningOf({ manifest }: Definitions, name: string): string | undefined {
  if (!Object.hasOwn(manifest.services, name)) return undefined;
  const { features, reads, onDemand } = resolveService(manifest, name);
  return canonicalJson([
    features,
    reads.map(({ view, keyColumns }) => [viewVersion(manifest, view.name), view.features, keyColumns]),
    onDemand.map(({ view, inputs }) => [view.features, view.transform.hash, inputs]),
  ]);
}
