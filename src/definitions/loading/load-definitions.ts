// Loads a feature repository: imports every file of it, collects what they export, compiles.

import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { HeadraceError } from '../../core/index.ts';
import type { Exported } from '../compile/collect.ts';
import { compileDefinitions } from '../compile/compile-definitions.ts';
import { Mistakes } from '../compile/mistakes.ts';
import type { Definitions } from '../manifest.ts';
import { createImporter } from './module-loader.ts';

/**
 * Loads the feature repository in `repoDirectory`: all its .ts, .mts, .js and .mjs files, but for tests, configuration
 * files, hidden folders, `node_modules` and `data`. Called again it reads the files anew.
 * Throws HR_DEFINITION with every mistake at once; a file that cannot be imported is one.
 */
export async function loadDefinitions(repoDirectory: string, project: string): Promise<Definitions> {
  const directory = resolve(repoDirectory);
  const files = await findFiles(directory);
  const importFile = createImporter(directory);
  const mistakes = new Mistakes();
  const exports: Exported[] = [];
  for (const path of files) {
    const file = relative(directory, path).split(sep).join('/');
    try {
      const module = await importFile(path);
      for (const [name, value] of Object.entries(module)) exports.push({ file, name, value });
    } catch (cause) {
      mistakes.addFile(file, importMistake(cause, await realpath(directory)));
    }
  }
  // What a broken file would have exported is missing; the mistakes that this alone makes would only confuse.
  mistakes.throwIfAny();
  return compileDefinitions(exports, { project, directory });
}

async function findFiles(directory: string): Promise<string[]> {
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
      } else if (isDefinitionFile(entry.name)) {
        found.push(path);
      }
    }
  };
  await walk(directory);
  return found.sort();
}

function isDefinitionFile(name: string): boolean {
  return /\.m?[jt]s$/.test(name) && !/\.(test|spec|d|config)\.m?[jt]s$/.test(name);
}

function importMistake(cause: unknown, directory: string): string {
  if (!(cause instanceof Error)) return `it threw ${String(cause)} while it was imported`;
  const message = cause.message.replace(/\?headrace-load=\d+/g, '').replaceAll(`${directory}${sep}`, '');
  if (cause.name === 'SyntaxError') return `it cannot be read: ${message}. Fix the syntax`;
  // The stack's first line in the repository shows where.
  const at = cause.stack
    ?.split('\n')
    .find((line) => line.includes(directory))
    ?.match(/([^/\\]+?)\?headrace-load=\d+:(\d+)/);
  return `it threw while it was imported: ${message}${at === null || at === undefined ? '' : ` (${at[1]}:${at[2]})`}`;
}
