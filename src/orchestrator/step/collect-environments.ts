// Python environments that no step has used for long: the next that needs one builds it again.

import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatTimestamp, type Micros } from '../../core/index.ts';
import { type Collector, type Removable, sizeOfFolder } from '../../storage/index.ts';
import { withKernelLock } from './kernel-lock.ts';
import { environmentLock, readyFolder } from './python-environment.ts';

export interface EnvironmentCollectorDeps {
  readonly directory: string;
  readonly nowMicros: () => Micros;
  readonly keepMicros: Micros;
}

export function collectEnvironments({ directory, nowMicros, keepMicros }: EnvironmentCollectorDeps): Collector {
  /** What lies there of a key: the folder that is ready, and those that were cut off or are of an earlier version. */
  const foldersOf = async (key: string): Promise<readonly string[]> => {
    const names = await readdir(directory).catch(() => []);
    return names.filter((name) => name === key || name.startsWith(`${key}-`)).map((name) => join(directory, name));
  };

  /** When it was used last, where that is long ago. */
  const unusedSince = async (key: string): Promise<Micros | undefined> => {
    const times: number[] = [];
    // One that is not ready was never finished: then the folder's own time tells.
    for (const path of [join(directory, `${key}.ready`), ...(await foldersOf(key))]) {
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined) times.push(Math.floor(found.mtimeMs * 1000));
      if (path.endsWith('.ready') && found !== undefined) break;
    }
    const at = times.length === 0 ? undefined : Math.max(...times);
    return at === undefined || nowMicros() - at < keepMicros ? undefined : at;
  };

  return {
    name: 'python environment',
    async plan() {
      const items: Removable[] = [];
      const entries = await readdir(directory).catch(() => []);
      const keys = new Set(entries.flatMap((name) => /^([0-9a-f]{16})(?:\.ready|-[0-9a-f]+)?$/.exec(name)?.[1] ?? []));
      for (const key of [...keys].sort()) {
        const sinceMicros = await unusedSince(key);
        if (sinceMicros === undefined) continue;
        const what = readyFolder(directory, key) ?? join(directory, key);
        const why = `no step has used it since ${formatTimestamp(sinceMicros).slice(0, 10)}`;
        let bytes = 0;
        for (const folder of await foldersOf(key)) bytes += await sizeOfFolder(folder);
        items.push({ id: key, what, why, bytes, sinceMicros });
      }
      return { items };
    },
    async forget(_trx, items) {
      const going: Removable[] = [];
      for (const item of items) if ((await unusedSince(item.id)) === item.sinceMicros) going.push(item);
      return going;
    },
    erase: async ({ id, sinceMicros }) => {
      if ((await unusedSince(id)) !== sinceMicros) return;
      await withKernelLock(environmentLock(directory, id), async () => {
        // Whoever has built or used it while this one waited.
        if ((await unusedSince(id)) !== sinceMicros) return;
        // Without it no folder counts as whole, and the next step builds one anew.
        await rm(join(directory, `${id}.ready`), { force: true });
        for (const folder of await foldersOf(id)) await rm(folder, { recursive: true, force: true });
      });
    },
  };
}
