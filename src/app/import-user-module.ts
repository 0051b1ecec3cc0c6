// Imports a user's TypeScript file from anywhere: its `headrace` import resolves to this copy of the library, so two
// copies never mix, and its types are stripped whatever the package.json around it says.

import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { type ErrorCode, HeadraceError } from '../core/index.ts';

const LIBRARY = new URL(import.meta.url.endsWith('.ts') ? '../index.ts' : '../index.js', import.meta.url).href;
let isHooked = false;

/** The module's exports. Throws an error of `code` that names the file when it cannot be read or run. */
export async function importUserModule(file: string, code: ErrorCode): Promise<Readonly<Record<string, unknown>>> {
  hookOnce();
  try {
    return (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  } catch (thrown) {
    if (thrown instanceof HeadraceError) throw thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new HeadraceError(code, `${file} cannot be loaded: ${message}`, { cause: thrown });
  }
}

function hookOnce(): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      return specifier === 'headrace' ? { url: LIBRARY, shortCircuit: true } : nextResolve(specifier, context);
    },
  });
}
