// Python environments that no step has used for long: the next that needs one builds it again.

import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatTimestamp, type Micros } from '../../core/index.ts';
import { type Collector, type Removable, sizeOfFolder } from '../../storage/index.ts';
import { withLock } from './python-environment.ts';

export interface EnvironmentCollectorDeps {
  readonly directory: string;
  readonly nowMicros: () => Micros;
  readonly keepMicros: Micros;
}

export function collectEnvironments({ directory, nowMicros, keepMicros }: EnvironmentCollectorDeps): Collector {
  /** When it was used last, where that is long ago. */
  const unusedSince = async (key: string): Promise<Micros | undefined> => {
    const folder = join(directory, key);
    // One that is not ready was never finished: then the folder's own time tells.
    const found = await stat(`${folder}.ready`).catch(() => stat(folder).catch(() => undefined));
    const at = found === undefined ? undefined : Math.floor(found.mtimeMs * 1000);
    return at === undefined || nowMicros() - at < keepMicros ? undefined : at;
  };

  return {
    name: 'python environment',
    async plan() {
      const items: Removable[] = [];
      const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
      const keys = new Set(entries.flatMap(({ name }) => /^([0-9a-f]{16})(?:\.ready)?$/.exec(name)?.[1] ?? []));
      for (const key of [...keys].sort()) {
        const sinceMicros = await unusedSince(key);
        if (sinceMicros === undefined) continue;
        const path = join(directory, key);
        const why = `no step has used it since ${formatTimestamp(sinceMicros).slice(0, 10)}`;
        items.push({ id: key, what: path, why, bytes: await sizeOfFolder(path), sinceMicros });
      }
      return { items };
    },
    async forget(_trx, items) {
      const going: Removable[] = [];
      for (const item of items) if ((await unusedSince(item.id)) === item.sinceMicros) going.push(item);
      return going;
    },
    erase: async ({ id, sinceMicros }) => {
      const folder = join(directory, id);
      if ((await unusedSince(id)) !== sinceMicros) return;
      await withLock(`${folder}.lock`, async () => {
        // Whoever has built or used it while this one waited.
        if ((await unusedSince(id)) !== sinceMicros) return;
        // Without it the folder counts as never finished, and is built anew.
        await rm(`${folder}.ready`, { force: true });
        await rm(folder, { recursive: true, force: true });
      });
    },
  };
}
