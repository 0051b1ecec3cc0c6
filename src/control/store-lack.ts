// Whether the online store has what runs filled of all that is needed, for whoever asks once: asked across the registry, the
// runs and the marks. A server asks for itself (serving/store-check.ts).

import {
  joinLacks,
  lackOf,
  type OnlineStore,
  type Runs,
  type StorePlace,
  tellLack,
  type ToldLack,
} from '../online/index.ts';
import type { Registry } from '../registry/index.ts';

export interface StoreLackDeps {
  readonly registry: Pick<Registry, 'definitions' | 'versions'>;
  readonly runs: Pick<Runs, 'filledVersions'>;
  readonly store: Pick<OnlineStore, 'marks'>;
  readonly storePlace: StorePlace;
}

/** Undefined where it has all. Throws what the registry and the store say. */
export async function storeLack({
  registry,
  runs,
  store,
  storePlace,
}: StoreLackDeps): Promise<(ToldLack & { readonly isAbsent: boolean }) | undefined> {
  const applied = await registry.definitions.current();
  if (applied === undefined) return undefined;
  const [filled, needs] = [await runs.filledVersions(), await registry.versions.needs()];
  const expected = (await registry.versions.list()).filter(
    ({ version, completedMicros }) => completedMicros !== null && filled.has(version) && needs.has(version),
  );
  const lacks = await Promise.all(
    expected.map(async ({ version }) => ({ version, lack: lackOf(await store.marks(version)) })),
  );
  const lacking = lacks.flatMap(({ version, lack }) => (lack === undefined ? [] : [{ version, lack }]));
  if (lacking.length === 0) return undefined;
  const all = joinLacks(lacking.map(({ lack }) => lack));
  const isAbsent = all.isAbsent && lacking.length === expected.length;
  const versions = lacking.map(({ version }) => version);
  return { ...tellLack(versions, all, storePlace, applied.manifest.project), isAbsent };
}
