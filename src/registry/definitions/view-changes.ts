// Views that get another version: what has to be filled, and what answers until it is. Pure.

import { type Manifest, viewVersion } from '../../definitions/index.ts';
import { readableVersions, versionsRead } from '../versions/served-services.ts';
import type { InUse } from './in-use.ts';
import type { Renames } from './renames.ts';

export interface ViewChange {
  /** What it is called from now on. */
  readonly view: string;
  /** Its version until now; null for a new view. */
  readonly before: string | null;
  readonly after: string;
  /** Whether a run has to fill it: not where it is kept and complete, as after a rollback. */
  readonly needsRun: boolean;
  /** Whether readers may take the old version: they go on doing so until the new one is complete. */
  readonly answersBefore: boolean;
  /** Services that read it, and wait for it. */
  readonly services: readonly string[];
  /** Model versions that read the old version: it is kept for them. */
  readonly keptFor: readonly { readonly model: string; readonly versions: readonly number[] }[];
}

/** In the order of the views in the manifest. Views of which only names change have none. */
export function viewChanges(
  before: Manifest | undefined,
  after: Manifest,
  renames: Renames | undefined,
  { kept, models }: Pick<InUse, 'kept' | 'models'>,
): ViewChange[] {
  const isReadable = readableVersions(kept);
  const rows = new Map(kept.map((row) => [row.version, row]));
  const changed = Object.keys(after.views).flatMap((view) => {
    const former = renames?.former('view', view) ?? view;
    const isNew = before === undefined || !Object.hasOwn(before.views, former);
    const [old, next] = [isNew ? null : viewVersion(before, former), viewVersion(after, view)];
    return old === next ? [] : [{ view, old, next }];
  });
  if (changed.length === 0) return [];
  const services = readersOf(
    Object.keys(after.services).map((service) => ({ reader: service, manifest: after, service })),
  );
  const versions = readersOf(models.map((one) => ({ reader: one, ...one })));
  return changed.map(({ view, old, next }) => {
    const pinning = old === null ? [] : (versions.get(old) ?? []);
    return {
      view,
      before: old,
      after: next,
      needsRun: (rows.get(next)?.completedMicros ?? null) === null,
      answersBefore: old !== null && isReadable(old),
      services: services.get(next) ?? [],
      keptFor: [...Map.groupBy(pinning, ({ model }) => model)].map(([model, own]) => ({
        model,
        versions: own.map(({ version }) => version),
      })),
    };
  });
}

function readersOf<R>(
  all: readonly { readonly reader: R; readonly manifest: Manifest; readonly service: string }[],
): ReadonlyMap<string, readonly R[]> {
  const readers = new Map<string, R[]>();
  for (const { reader, manifest, service } of all) {
    if (!Object.hasOwn(manifest.services, service)) continue;
    for (const version of versionsRead(manifest, service)) {
      const known = readers.get(version);
      if (known === undefined) readers.set(version, [reader]);
      else known.push(reader);
    }
  }
  return readers;
}
