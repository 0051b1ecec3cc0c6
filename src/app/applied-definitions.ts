// Definitions as they were applied: a manifest from the registry, its functions from the bundles in the artifact store. No
// feature repository is needed, and what was applied once never changes.

import { createLastUsed, fewAtOnce, HeadraceError, type Logger } from '../core/index.ts';
import {
  type Definitions,
  functionsOf,
  isTaskId,
  type LiveVersion,
  loadBundled,
  type LoadedBundle,
  type Manifest,
  placedVersion,
  type UserFunction,
} from '../definitions/index.ts';
import { refuseOtherProject, type Registry, versionIncomplete, type ViewVersionRow } from '../registry/index.ts';
import { getUnchecked, type ObjectStore } from '../storage/index.ts';
import type { App } from './open-app.ts';

export interface AppliedDefinitions {
  /** Of any manifest that was applied, by its hash. Throws HR_CODE_MISSING, HR_CODE_ALTERED, HR_STORAGE_UNAVAILABLE. */
  of(manifestHash: string): Promise<Definitions>;
  /**
   * The same of an earlier manifest: a function whose code can't be had is left out and logged, so that what needs it fails
   * and nothing else does.
   */
  earlier(manifestHash: string): Promise<Definitions>;
  /** What is applied now. Throws HR_NOTHING_APPLIED, HR_OTHER_PROJECT. */
  current(): Promise<Definitions>;
  /** Every version of a view that is kept, or those of them that are wanted; none before the first apply. */
  versions(isWanted?: (row: ViewVersionRow) => boolean): Promise<readonly LiveVersion[]>;
}

export interface AppliedDefinitionsDeps {
  readonly registry: () => Promise<Registry>;
  readonly objects: () => Promise<ObjectStore>;
  /** That store's URL, as messages may show it. */
  readonly store: string;
  readonly logger: Logger;
  /** Whose registry it has to be. */
  readonly project: string;
  /** Where relative paths in sources and pipelines start. */
  readonly directory: string;
}

/** At most so many are held, those used last; of the others it is only that they take a moment to load again. */
const MOST_HELD = 128;
const MOST_BUNDLES = 2048;
const FETCHED_AT_ONCE = 8;

export function createAppliedDefinitions(deps: AppliedDefinitionsDeps): AppliedDefinitions {
  const { registry, objects, store, logger, project, directory } = deps;
  /** Most functions are the same from one apply to the next. */
  const cache = createLastUsed<string, Promise<LoadedBundle>>(MOST_BUNDLES);
  const fetching = fewAtOnce(FETCHED_AT_ONCE);

  const manifestOf = async (hash: string): Promise<Manifest> => {
    const manifest = await (await registry()).definitions.byHash(hash);
    if (manifest !== undefined) return manifest;
    throw new HeadraceError('HR_INTERNAL', `the registry has no definitions ${hash.slice(0, 12)}`);
  };
  const load = async (manifest: Manifest, hash: string, only: (id: string) => boolean): Promise<Definitions> =>
    loadBundled(manifest, hash, {
      directory,
      store,
      cache,
      // Steps of pipelines load theirs where they run.
      only: (id) => !isTaskId(id) && only(id),
      getBundle: (bundle) => fetching(async () => getUnchecked(await objects(), bundle)),
    });

  const loadWhole = async (hash: string): Promise<Definitions> => load(await manifestOf(hash), hash, () => true);
  const loadWhatCan = async (hash: string): Promise<Definitions> => {
    const manifest = await manifestOf(hash);
    const functions = new Map<string, UserFunction>();
    const lost = new Map<string, HeadraceError>();
    for (const { id } of functionsOf(manifest)) {
      try {
        for (const [name, fn] of (await load(manifest, hash, (other) => other === id)).functions)
          functions.set(name, fn);
      } catch (thrown) {
        if (!(thrown instanceof HeadraceError) || !LOST.has(thrown.code)) throw thrown;
        lost.set(id, thrown);
        logger.error({ code: thrown.code, reason: thrown.message }, 'earlier definitions lack a function');
      }
    }
    return { manifest, hash, directory, functions, lost, bundles: new Map() };
  };

  const of = held(loadWhole);
  const whatCan = held(loadWhatCan);
  // The same object where all of it is there: what is compiled from it stays.
  const earlier = async (hash: string): Promise<Definitions> => {
    try {
      return await of(hash);
    } catch (thrown) {
      if (!(thrown instanceof HeadraceError) || !LOST.has(thrown.code)) throw thrown;
      return whatCan(hash);
    }
  };

  return {
    of,
    earlier,
    async current() {
      const applied = await (await registry()).definitions.current();
      if (applied === undefined) {
        throw new HeadraceError('HR_NOTHING_APPLIED', 'nothing is applied yet. Run `headrace apply` first.');
      }
      refuseOtherProject(applied.manifest, project);
      return of(applied.hash);
    },
    async versions(isWanted = () => true) {
      const { definitions, versions } = await registry();
      const rows = (await versions.list()).filter(isWanted);
      const now = await definitions.current();
      if (now === undefined) return [];
      const applied = await earlier(now.hash);
      return Promise.all(
        rows.map(async ({ version, epoch, view, manifestHash }) =>
          placedVersion({ version, epoch, view, definitions: await earlier(manifestHash) }, applied),
        ),
      );
    },
  };
}

/** What trying again does not mend. */
const LOST = new Set(['HR_CODE_MISSING', 'HR_CODE_ALTERED']);

/** Loads each once; one that failed is tried again at the next call. */
function held(load: (hash: string) => Promise<Definitions>): (hash: string) => Promise<Definitions> {
  const all = createLastUsed<string, Promise<Definitions>>(MOST_HELD);
  return (hash) => {
    let loading = all.get(hash);
    if (loading === undefined) {
      loading = load(hash);
      all.set(hash, loading);
      loading.catch(() => all.delete(hash));
    }
    return loading;
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
  if (own.state === 'unserved') throw versionIncomplete(`service "${service}"`, own.waitsFor);
  return app.definitionsOf(own.manifestHash);
}
