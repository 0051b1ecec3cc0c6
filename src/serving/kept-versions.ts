// The view versions that are kept, with the definitions of each: the same list for as long as nothing of it changes, since
// a writer opens a cut for another.

import { type Definitions, functionsOf, isTaskId, type LiveVersion } from '../definitions/index.ts';
import type { Registry, ViewVersionRow } from '../registry/index.ts';

export interface KeptVersions {
  /** Throws what loading their definitions throws; then the last list stays. */
  load(): Promise<{ readonly versions: readonly LiveVersion[]; readonly rows: readonly ViewVersionRow[] }>;
  /** Those of the last list that were not complete. */
  waiting(): readonly LiveVersion[];
  /** Whether definitions of the last list lack functions, which may be there at the next load. */
  isPartial(): boolean;
}

export function createKeptVersions(
  registry: Pick<Registry, 'versions'>,
  earlierDefinitions: (manifestHash: string) => Promise<Definitions>,
): KeptVersions {
  let known = '';
  let versions: readonly LiveVersion[] = [];
  let waiting: readonly LiveVersion[] = [];
  let isPartial = false;
  return {
    async load() {
      const rows = await registry.versions.list();
      const id = JSON.stringify(
        rows.map(({ version, epoch, view, manifestHash }) => [version, epoch, view, manifestHash]),
      );
      if (id !== known || isPartial) {
        const loaded: LiveVersion[] = [];
        for (const { version, epoch, view, manifestHash } of rows) {
          loaded.push({ version, epoch, view, definitions: await earlierDefinitions(manifestHash) });
        }
        const isSame = id === known && loaded.every(({ definitions }, at) => definitions === versions[at]?.definitions);
        if (!isSame) versions = loaded;
        known = id;
        isPartial = loaded.some(({ definitions }) => lacksFunctions(definitions));
      }
      waiting = versions.filter((_, at) => rows[at]?.completedMicros === null);
      return { versions, rows };
    },
    waiting: () => waiting,
    isPartial: () => isPartial,
  };
}

function lacksFunctions({ manifest, functions }: Definitions): boolean {
  return functionsOf(manifest).some(({ id }) => !isTaskId(id) && !functions.has(id));
}
