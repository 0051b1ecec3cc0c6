// The view versions that are kept, with the definitions of each: the same list for as long as nothing of it changes, since
// a writer opens a cut for another.

import {
  type Definitions,
  functionsOf,
  isTaskId,
  type LiveVersion,
  placedVersion,
  type RegisteredVersion,
} from '../definitions/index.ts';
import type { Registry, ViewVersionRow } from '../registry/index.ts';

export interface KeptVersions {
  /** By what is `applied`. Throws what loading their definitions throws; then the last list stays. */
  load(
    applied: Definitions,
  ): Promise<{ readonly versions: readonly LiveVersion[]; readonly rows: readonly ViewVersionRow[] }>;
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
  let registered: readonly RegisteredVersion[] = [];
  let placedBy: Definitions | undefined;
  let versions: readonly LiveVersion[] = [];
  let waiting: readonly LiveVersion[] = [];
  let isPartial = false;
  return {
    async load(applied) {
      const rows = await registry.versions.list();
      const id = JSON.stringify(
        rows.map(({ version, epoch, view, manifestHash }) => [version, epoch, view, manifestHash]),
      );
      if (id !== known || isPartial) {
        const loaded: RegisteredVersion[] = [];
        for (const { version, epoch, view, manifestHash } of rows) {
          loaded.push({ version, epoch, view, definitions: await earlierDefinitions(manifestHash) });
        }
        const isSame =
          id === known && loaded.every(({ definitions }, at) => definitions === registered[at]?.definitions);
        if (!isSame) {
          registered = loaded;
          placedBy = undefined;
        }
        known = id;
        isPartial = loaded.some(({ definitions }) => lacksFunctions(definitions));
      }
      if (placedBy !== applied) versions = registered.map((one) => placedVersion(one, applied));
      placedBy = applied;
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
