// Folders that a DuckDB spilled to whose process is no more. The next DuckDB there clears them away too; this one says so.

import type { Micros } from '../../core/index.ts';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Collector, Removable } from '../collector.ts';
import { deadSpillFolders, removeIfDead } from './spill-folder.ts';
import { sizeOfFolder } from '../size-of-folder.ts';

/** `parent`: where the folders are made. */
export function collectSpill(parent: string): Collector {
  return {
    name: 'spill folder',
    async plan() {
      const items: Removable[] = [];
      for (const path of await deadSpillFolders(parent)) {
        const found = await stat(path).catch(() => undefined);
        if (found === undefined) continue;
        const sinceMicros: Micros = Math.floor(found.mtimeMs * 1000);
        items.push({
          id: path,
          what: basename(path),
          why: 'the process that made it is gone',
          bytes: await sizeOfFolder(path),
          sinceMicros,
        });
      }
      return { items };
    },
    async forget(_trx, items) {
      const dead = new Set(await deadSpillFolders(parent));
      return items.filter(({ id }) => dead.has(id));
    },
    erase: ({ id }) => removeIfDead(id),
  };
}
