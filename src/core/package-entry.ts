// Where this package's own types lie: sources or the build, whichever runs.

import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export const IS_SOURCE = import.meta.url.endsWith('.ts');

/** The file that `import … from 'headrace'` gets its types from. */
export const PACKAGE_ENTRY = fileURLToPath(new URL(`../index.${IS_SOURCE ? 'ts' : 'd.ts'}`, import.meta.url));

/** The folder of Node's types, as whoever lies at `from` (a path or URL) finds them; undefined where there are none. */
export function nodeTypesFolder(from: string = import.meta.url): string | undefined {
  try {
    return dirname(createRequire(from).resolve('@types/node/package.json'));
  } catch {
    return undefined;
  }
}
