// Definitions as they were applied: a manifest from the registry, its functions from the bundles in the artifact store. No
// feature repository is needed, and what was applied once never changes.

import { HeadraceError } from '../core/index.ts';
import { type Definitions, isTaskId, type LiveVersion, loadBundled, type LoadedBundle } from '../definitions/index.ts';
import { type Registry, versionIncomplete, type ViewVersionRow } from '../registry/index.ts';
import { getUnchecked, type ObjectStore } from '../storage/index.ts';
import type { App } from './open-app.ts';

export interface AppliedDefinitions {
  /** Of any manifest that was applied, by its hash. Throws HR_BUNDLE, HR_STORAGE_UNAVAILABLE. */
  of(manifestHash: string): Promise<Definitions>;
  /** What is applied now. Throws HR_NOTHING_APPLIED. */
  current(): Promise<Definitions>;
  /** Every version of a view that is kept, or those of them that are wanted. */
  versions(isWanted?: (row: ViewVersionRow) => boolean): Promise<readonly LiveVersion[]>;
}

export interface AppliedDefinitionsDeps {
  readonly registry: () => Promise<Registry>;
  readonly objects: () => Promise<ObjectStore>;
  /** Where relative paths in sources and pipelines start. */
  readonly directory: string;
}

/** So many are held; of the others it is only that they take a moment to load again. */
const MOST_HELD = 128;

export function createAppliedDefinitions({ registry, objects, directory }: AppliedDefinitionsDeps): AppliedDefinitions {
  const held = new Map<string, Promise<Definitions>>();
  /** Most functions are the same from one apply to the next. */
  const cache = new Map<string, LoadedBundle>();

  const load = async (hash: string): Promise<Definitions> => {
    const manifest = await (await registry()).definitions.byHash(hash);
    if (manifest === undefined) {
      throw new HeadraceError('HR_INTERNAL', `the registry has no definitions ${hash.slice(0, 12)}`);
    }
    return loadBundled(manifest, hash, {
      directory,
      cache,
      // Steps of pipelines load theirs where they run.
      only: (id) => !isTaskId(id),
      getBundle: async (bundle) => getUnchecked(await objects(), bundle),
    });
  };

  const of = (hash: string): Promise<Definitions> => {
    let loading = held.get(hash);
    if (loading === undefined) {
      loading = load(hash);
      held.set(hash, loading);
      loading.catch(() => held.delete(hash));
      const [oldest] = held.keys();
      if (held.size > MOST_HELD && oldest !== undefined) held.delete(oldest);
    }
    return loading;
  };

  return {
    of,
    async current() {
      const applied = await (await registry()).definitions.current();
      if (applied === undefined) {
        throw new HeadraceError('HR_NOTHING_APPLIED', 'nothing is applied yet. Run `headrace apply` first.');
      }
      return of(applied.hash);
    },
    async versions(isWanted = () => true) {
      const rows = (await (await registry()).versions.list()).filter(isWanted);
      return Promise.all(
        rows.map(async ({ version, epoch, view, manifestHash }) => ({
          version,
          epoch,
          view,
          definitions: await of(manifestHash),
        })),
      );
    },
  };
}

/**
 * The definitions that a service is served by: what is applied, or what was before while a view version is filled. Throws
 * HR_VERSION_INCOMPLETE where neither can answer.
 */
export async function servedDefinitions(
  app: Pick<App, 'registry' | 'applied' | 'definitionsOf'>,
  service: string,
): Promise<Definitions> {
  const served = await (await app.registry()).versions.servedServices();
  const own = served.find((one) => one.service === service);
  if (own === undefined) return app.applied();
  if (!own.isServed) throw versionIncomplete(`service "${service}"`, own.waitsFor);
  return app.definitionsOf(own.manifestHash);
}
