// The version of Headrace that runs.

import { readFile } from 'node:fs/promises';

let found: Promise<string> | undefined;

/** As its package.json has it, which lies two folders up, from src/core and from dist/core alike. */
export function ownVersion(): Promise<string> {
  const file = new URL('../../package.json', import.meta.url);
  found ??= readFile(file, 'utf8').then((text) => (JSON.parse(text) as { version: string }).version); // the project's own file
  return found;
}
