// The view versions that are kept, with the definitions of each: the same list for as long as nothing of it changes, since
// a writer opens a cut for another.

import type { Definitions, LiveVersion } from '../definitions/index.ts';
import type { Registry, ViewVersionRow } from '../registry/index.ts';

export interface KeptVersions {
  /** Throws what loading their definitions throws; then the last list stays. */
  load(): Promise<{ readonly versions: readonly LiveVersion[]; readonly rows: readonly ViewVersionRow[] }>;
  /** Those of the last list that were not complete. */
  waiting(): readonly LiveVersion[];
}

export function createKeptVersions(
  registry: Pick<Registry, 'versions'>,
  earlierDefinitions: (manifestHash: string) => Promise<Definitions>,
): KeptVersions {
  let known = '';
  let versions: readonly LiveVersion[] = [];
  let waiting: readonly LiveVersion[] = [];
  return {
    async load() {
      const rows = await registry.versions.list();
      const id = JSON.stringify(
        rows.map(({ version, epoch, view, manifestHash }) => [version, epoch, view, manifestHash]),
      );
      if (id !== known) {
        const loaded: LiveVersion[] = [];
        for (const { version, epoch, view, manifestHash } of rows) {
          loaded.push({ version, epoch, view, definitions: await earlierDefinitions(manifestHash) });
        }
        versions = loaded;
        known = id;
      }
      waiting = versions.filter((_, at) => rows[at]?.completedMicros === null);
      return { versions, rows };
    },
    waiting: () => waiting,
  };
}
