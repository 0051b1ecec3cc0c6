// Every version of a view that is kept, with whether readers may take it, what it waits for, and who reads it: asked across
// the registry, the training sets, the marks and the writers.

import type { Micros } from '../core/index.ts';
import { type LiveVersion, type Manifest } from '../definitions/index.ts';
import { type CompletenessDeps, type Missing, missingOf, type TrainingSetRecord } from '../offline/index.ts';
import { type Registry, type VersionNeed, versionsRead } from '../registry/index.ts';

export interface KeptVersion {
  readonly live: LiveVersion;
  /** What it waits for; null once it is complete. */
  readonly missing: Missing | null;
  readonly readBy: readonly VersionReader[];
  readonly unreadSinceMicros: Micros | null;
}

/** As plain JSON data. A training set pins definitions, which can be filled again; it keeps no records. */
export type VersionReader =
  | { readonly kind: 'service'; readonly service: string; readonly revision: number }
  | { readonly kind: 'model'; readonly model: string; readonly version: number }
  | { readonly kind: 'training_set'; readonly id: string; readonly name: string | null };

export interface SurveyDeps extends CompletenessDeps {
  readonly registry: Pick<Registry, 'definitions' | 'versions'>;
  /** All that are kept, with their definitions. */
  readonly live: readonly LiveVersion[];
  readonly trainingSets: readonly Pick<TrainingSetRecord, 'id' | 'name' | 'manifestHash' | 'service'>[];
}

/** Empty before the first apply. */
export async function surveyVersions(deps: SurveyDeps): Promise<readonly KeptVersion[]> {
  const { registry, live } = deps;
  const applied = await registry.definitions.current();
  if (applied === undefined) return [];
  const { manifest } = applied;
  const rows = new Map((await registry.versions.list()).map((row) => [row.version, row]));
  const waiting = live.filter(({ version }) => rows.get(version)?.completedMicros === null);
  const missing = await missingOf(deps, waiting);
  const readers = await findReaders(deps, manifest);
  const kept: KeptVersion[] = [];
  for (const one of live) {
    const row = rows.get(one.version);
    // Removed meanwhile.
    if (row === undefined) continue;
    kept.push({
      live: one,
      missing: missing.get(one) ?? null,
      readBy: readers.get(one.version) ?? [],
      unreadSinceMicros: row.unreadSinceMicros,
    });
  }
  return kept;
}

async function findReaders(
  { registry, trainingSets }: SurveyDeps,
  applied: Manifest,
): Promise<ReadonlyMap<string, readonly VersionReader[]>> {
  const readers = new Map<string, VersionReader[]>();
  const addTo = (version: string, added: readonly VersionReader[]): void => {
    const known = readers.get(version);
    if (known === undefined) readers.set(version, [...added]);
    else for (const reader of added) known.push(reader);
  };
  const add = (manifest: Manifest, service: string, added: readonly VersionReader[]): void => {
    if (!Object.hasOwn(manifest.services, service)) return;
    for (const version of versionsRead(manifest, service)) addTo(version, added);
  };
  for (const { service, revision, state } of await registry.versions.servedServices()) {
    if (state !== 'waiting') add(applied, service, [{ kind: 'service', service, revision }]);
  }
  for (const [version, needs] of await registry.versions.needs()) addTo(version, needs.flatMap(presentNeed));
  // Thousands are made of few definitions.
  for (const [manifestHash, sets] of Map.groupBy(trainingSets, (set) => set.manifestHash)) {
    const manifest = await registry.definitions.byHash(manifestHash);
    if (manifest === undefined) continue;
    for (const [service, own] of Map.groupBy(sets, (set) => set.service)) {
      const added = own.map(({ id, name }): VersionReader => ({ kind: 'training_set', id, name }));
      add(manifest, service, added);
    }
  }
  return readers;
}

/** That it is applied alone reads nothing. */
export function presentNeed(need: VersionNeed): VersionReader[] {
  switch (need.by) {
    case 'applied':
      return [];
    case 'service':
      return [{ kind: 'service', service: need.service, revision: need.revision }];
    case 'model':
      return [{ kind: 'model', model: need.model, version: need.version }];
  }
}
