// Loads a feature repository: imports every file of it, collects what they export, compiles.

import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
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
      const mistake = importMistake(cause, await realpath(directory));
      mistakes.addFile(mistake.file ?? file, mistake.message);
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

/** Which file of the repository is at fault, when it is not the one that was imported, and what is wrong with it. */
function importMistake(cause: unknown, directory: string): { readonly file?: string; readonly message: string } {
  if (!(cause instanceof Error)) return { message: `it threw ${String(cause)} while it was imported` };
  const message = cause.message.replace(/\?headrace-load=\d+/g, '').replaceAll(`${directory}${sep}`, '');
  // The outermost place in the repository is the module that was being read or run.
  const places = [...(cause.stack ?? '').matchAll(/(file:\/\/\S+?)\?headrace-load=\d+:(\d+)/g)];
  const [, url, line] = places.at(-1) ?? [];
  const importer = /imported from (.+?)(?:\?headrace-load=\d+)?$/m.exec(cause.message)?.[1];
  const path = url === undefined ? importer : fileURLToPath(url);
  const file =
    path?.startsWith(`${directory}${sep}`) === true ? relative(directory, path).split(sep).join('/') : undefined;
  const at = file === undefined || line === undefined ? '' : ` (line ${line})`;
  const what =
    cause.name === 'SyntaxError' ? `it cannot be read: ${message}` : `it threw while it was imported: ${message}`;
  return { ...(file === undefined ? {} : { file }), message: `${what}${at}` };
}
