// tsconfig.headrace.json: where an editor finds the types of `headrace` and of Node, though the project has no node_modules.

import { existsSync, realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, parse, relative, resolve, sep } from 'node:path';
import { nodeTypesFolder, PACKAGE_ENTRY } from '../../core/index.ts';

export const EDITOR_TYPES_FILE = 'tsconfig.headrace.json';

/** The text of the file for a project in `directory`. */
export function editorTypes(directory: string): string {
  const real = realpathSync(directory);
  // What a link leads to is elsewhere than the names on the way say: then only whole paths hold.
  const isReal = real === resolve(directory);
  const place = (path: string): string => (isReal ? nearPath(real, path) : path).split(sep).join('/');
  // A headrace that the project installs itself comes first; on another machine that is the one that is there.
  const paths = (inside: string): string[] => [
    ...new Set([
      `./node_modules/headrace/dist/${inside}index.d.ts`,
      place(join(dirname(PACKAGE_ENTRY), inside, basename(PACKAGE_ENTRY))),
    ]),
  ];
  const compilerOptions = {
    typeRoots: [...new Set(['./node_modules/@types', ...nodeTypeRoots().map(place)])],
    paths: { headrace: paths(''), 'headrace/client': paths('client/') },
  };
  return `// Written by \`headrace init\`; \`headrace init --repair .\` writes it anew.\n${JSON.stringify({ compilerOptions }, null, 2)}\n`;
}

/** Whether the file is there and leads nowhere: Headrace, or the project, has moved since it was written. */
export async function hasLostTypes(directory: string): Promise<boolean> {
  const text = await readFile(join(directory, EDITOR_TYPES_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return false;
  const list = /"headrace":\s*\[([^\]]*)\]/.exec(text)?.[1] ?? '';
  const paths = [...list.matchAll(/"(?:[^"\\]|\\.)*"/g)].map(([quoted]) => JSON.parse(quoted) as string); // a JSON text
  return !paths.some((path) => existsSync(resolve(directory, path)));
}

/** The folders that hold Node's types, as this program finds them. */
function nodeTypeRoots(): string[] {
  const folder = nodeTypesFolder();
  return folder === undefined ? [] : [dirname(folder)];
}

/** Most folders up: a project beside the clone, or a few levels below its parent, may be moved together with it. */
const MOST_UP = 3;

/** Relative where the two lie near each other, else absolute. Both are absolute and real. */
export function nearPath(directory: string, path: string): string {
  const way = relative(directory, path);
  const steps = way.split(sep);
  const up = steps.filter((step) => step === '..').length;
  // Two paths that share the root alone share nothing.
  const shared = resolve(directory, ...steps.slice(0, up));
  const isNear = way !== path && up <= MOST_UP && shared !== parse(directory).root;
  if (!isNear) return path;
  return up === 0 ? `.${sep}${way}` : join(way);
}
