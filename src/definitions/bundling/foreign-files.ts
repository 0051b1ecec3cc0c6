// Which package a foreign file belongs to, and what is in it: the same wherever the package lies.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { sha256Hex } from '../../core/index.ts';

export interface ForeignFile {
  /** `name@version` of its package; of a file of the user's own: nothing. */
  readonly title: string;
  /** Its name in the package; of a file of the user's own: its last part. */
  readonly name: string;
}

export interface ForeignFiles {
  fileAt(path: string): ForeignFile;
  /** What tells its content apart from any other. */
  contentAt(path: string): readonly string[];
}

interface Package {
  readonly title: string;
  readonly folder: string;
}

/** Looks each file and package up once. */
export function createForeignFiles(): ForeignFiles {
  const packages = new Map<string, Package | undefined>();
  const contents = new Map<string, readonly string[]>();

  const packageOf = (folder: string): Package | undefined => {
    if (packages.has(folder)) return packages.get(folder);
    const found = readPackage(folder) ?? (dirname(folder) === folder ? undefined : packageOf(dirname(folder)));
    packages.set(folder, found);
    return found;
  };
  const fileAt = (path: string): ForeignFile => {
    const found = /[\\/]node_modules[\\/]/.test(path) ? packageOf(dirname(path)) : undefined;
    if (found === undefined) return { title: '', name: path.split(sep).at(-1) ?? path };
    return { title: found.title, name: relative(found.folder, path).split(sep).join('/') };
  };
  return {
    fileAt,
    contentAt(path) {
      const { title, name } = fileAt(path);
      const content = contents.get(path) ?? [title, name, sha256Hex(readFileSync(path))];
      contents.set(path, content);
      return content;
    },
  };
}

// A package.json without a name only says how to read the folder that it lies in.
function readPackage(folder: string): Package | undefined {
  const about = join(folder, 'package.json');
  if (!existsSync(about)) return undefined;
  const { name, version } = JSON.parse(readFileSync(about, 'utf8')) as { name?: unknown; version?: unknown };
  return typeof name === 'string' ? { title: `${name}@${String(version)}`, folder } : undefined;
}
