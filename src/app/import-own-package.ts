// A package that users install for themselves: beside Headrace, or in the project whose configuration is read, where Headrace
// itself lies elsewhere (installed for the whole machine, or run from its sources).

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** `directory` is the configuration's. Throws what the import throws where it is in neither place. */
export async function importOwnPackage(name: string, directory: string): Promise<unknown> {
  let path: string;
  try {
    path = createRequire(join(directory, 'headrace.config.ts')).resolve(name);
  } catch {
    return import(name);
  }
  return import(pathToFileURL(path).href);
}
