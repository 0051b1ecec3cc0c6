// The files of a feature repository that may travel with a step: none of its data, no hidden ones, no virtual environment.

import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

/** A larger file is data: it comes by a source or a training set, or by an absolute path. */
const MOST_BYTES = 1e6;
const LEFT_OUT = new Set(['node_modules', '__pycache__', 'data', 'site-packages']);
/** A folder with it is a virtual environment. */
const ENVIRONMENT = 'pyvenv.cfg';

/** Paths, relative to the repository in `directory`, of what lies in a folder of it, however deep. */
export async function filesUnder(directory: string, folder: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (at: string): Promise<void> => {
    const entries = await readdir(at, { withFileTypes: true }).catch(() => []);
    if (entries.some(({ name }) => name === ENVIRONMENT)) return;
    for (const entry of entries) {
      if (staysBehind(entry.name)) continue;
      const path = join(at, entry.name);
      if (entry.isDirectory()) await walk(path);
      // A link may lead to code that several folders share.
      else if (entry.isFile() || entry.isSymbolicLink()) found.push(posixPath(relative(directory, path)));
    }
  };
  await walk(join(directory, folder));
  return found;
}

/** Of a part of a path. */
export function staysBehind(name: string): boolean {
  return name.startsWith('.') || LEFT_OUT.has(name);
}

/** Undefined where it is large, or no text; and where it is a link that leads to no file of the repository. */
export async function readSmallText(path: string, directory: string): Promise<string | undefined> {
  const leadsTo = await realpath(path).catch(() => undefined);
  if (leadsTo === undefined || !leadsTo.startsWith(`${await realpath(directory)}${sep}`)) return undefined;
  const found = await stat(leadsTo);
  return found.isFile() && found.size <= MOST_BYTES ? textOf(await readFile(path)) : undefined;
}

/** Undefined where it is no text. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    // As it is, with a mark of its byte order where it has one.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (thrown) {
    if (thrown instanceof TypeError) return undefined;
    throw thrown;
  }
}

export function posixPath(path: string): string {
  return path.split(sep).join('/');
}
