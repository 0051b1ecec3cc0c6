// Which files of a feature repository are its definitions.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HeadraceError } from '../../core/index.ts';

/**
 * All .ts, .mts, .js and .mjs files of the repository in `directory`, sorted, but for tests, configuration files, hidden
 * folders, `node_modules` and `data`. Throws HR_DEFINITION when there is no such folder.
 */
export function definitionFiles(directory: string): Promise<string[]> {
  return findFiles(directory, (name) => /\.m?[jt]s$/.test(name) && !/\.(test|spec|d|config)\.m?[jt]s$/.test(name));
}

/** The files of types alone, in the same folders. */
export function declarationFiles(directory: string): Promise<string[]> {
  return findFiles(directory, (name) => /\.d\.m?ts$/.test(name));
}

async function findFiles(directory: string, isWanted: (name: string) => boolean): Promise<string[]> {
  const info = await stat(directory).catch(() => undefined);
  if (info === undefined || !info.isDirectory()) {
    throw new HeadraceError(
      'HR_DEFINITION',
      `there is no feature repository at ${directory}. Set \`repo\` in headrace.config.ts to its folder, or make one with \`headrace init\`.`,
    );
  }
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      if (entry.isDirectory()) {
        if (!(entry.name === 'data' && folder === directory)) await walk(path);
      } else if (isWanted(entry.name)) {
        found.push(path);
      }
    }
  };
  await walk(directory);
  return found.sort();
}
