// A collector of files that go by their age alone, wherever an owner keeps such.

import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Micros } from '../core/index.ts';
import type { Collector, Removable } from './collector.ts';

export interface FileCollectorDeps {
  readonly name: string;
  /** Those that are not there hold nothing. */
  folders(): Promise<readonly string[]>;
  /** Whether a file is of those that may go, by its name. */
  isOne(name: string): boolean;
  /** A clause. */
  readonly why: string;
  readonly nowMicros: () => Micros;
  readonly keepMicros: Micros;
  /** What the age is counted from: when it was written, or when it was used last. `written` when left out. */
  readonly age?: 'written' | 'used';
  /** Files that somebody needs, whatever their age. */
  needed?(): Promise<ReadonlySet<string>>;
}

export function collectFiles(deps: FileCollectorDeps): Collector {
  const { name, folders, isOne, why, nowMicros, keepMicros, needed, age = 'written' } = deps;

  const look = async (path: string): Promise<Removable | undefined> => {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || !found.isFile()) return undefined;
    const sinceMicros = Math.floor((age === 'used' ? found.atimeMs : found.mtimeMs) * 1000);
    return nowMicros() - sinceMicros < keepMicros
      ? undefined
      : { id: path, what: path, why, bytes: found.size, sinceMicros };
  };
  /** It is the one that was planned. */
  const isSame = async (item: Removable): Promise<boolean> => {
    const found = await look(item.id);
    return found?.bytes === item.bytes && found.sinceMicros === item.sinceMicros;
  };

  return {
    name,
    async plan() {
      const items: Removable[] = [];
      const kept = await needed?.();
      for (const folder of new Set(await folders())) {
        for (const file of (await readdir(folder).catch(() => [])).sort()) {
          const path = join(folder, file);
          const item = isOne(file) && kept?.has(path) !== true ? await look(path) : undefined;
          if (item !== undefined) items.push(item);
        }
      }
      return { items };
    },
    async forget(_trx, items) {
      const going: Removable[] = [];
      for (const item of items) if (isOne(basename(item.id)) && (await isSame(item))) going.push(item);
      return going;
    },
    async erase(item) {
      if ((await isSame(item)) && (await needed?.())?.has(item.id) !== true) await rm(item.id, { force: true });
    },
  };
}
