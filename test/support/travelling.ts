// Definitions as another machine gets them.

import { HeadraceError } from '../../src/core/index.ts';
import { type Definitions, loadBundled } from '../../src/definitions/index.ts';

/** The definitions as another machine gets them: a manifest in JSON, and a store of bundles. */
export function travel(
  definitions: Definitions,
  store = definitions.bundles,
  only?: (id: string) => boolean,
): Promise<Definitions> {
  return loadBundled(JSON.parse(JSON.stringify(definitions.manifest)) as never, definitions.hash, {
    directory: '/somewhere/else',
    store: 'file:/artifacts',
    getBundle: async (hash) => Buffer.from(store.get(hash) ?? missing(hash)),
    ...(only === undefined ? {} : { only }),
  });
}

export function missing(hash: string): never {
  throw new HeadraceError('HR_ARTIFACT_UNREADABLE', `artifact ${hash} is not in the store`);
}
