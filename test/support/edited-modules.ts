// The product with some of its lines changed: its own modules, loaded anew. For tests that must see a mistake caught which the
// product does not have.

import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A line of the product's, and what is loaded in its place. */
export interface Edit {
  /** From the project's root. */
  readonly file: string;
  /** Occurs once in the file. */
  readonly line: string;
  readonly instead: string;
}

export interface Edits {
  readonly edits: readonly Edit[];
  /** Paths from the project's root that are loaded anew, where they come to the module by it. The rest is shared. */
  readonly own: readonly string[];
}

const ROOT = pathToFileURL(`${resolve(import.meta.dirname, '../..')}/`).href;
const QUERY = 'edited';
const known = new Map<string, Edits>();

/** The module of this path from the project's root with the edits, which are called `name`. */
export function importEdited<T>(path: string, name: string, edits: Edits): Promise<T> {
  if (known.size === 0) hook();
  known.set(name, edits);
  // The caller says what the module is.
  return import(`${ROOT}${path}?${QUERY}=${encodeURIComponent(name)}`) as Promise<T>;
}

function hook(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      const name = context.parentURL === undefined ? null : new URL(context.parentURL).searchParams.get(QUERY);
      const isOwn = name !== null && known.get(name)?.own.some((path) => found.url.startsWith(`${ROOT}${path}`));
      return isOwn !== true || found.url.includes('?')
        ? found
        : { ...found, url: `${found.url}?${QUERY}=${encodeURIComponent(name)}` };
    },
    load(url, context, next) {
      const name = url.startsWith(ROOT) ? new URL(url).searchParams.get(QUERY) : null;
      if (name === null) return next(url, context);
      const path = fileURLToPath(url);
      const own = known.get(name)?.edits.filter(({ file }) => path.endsWith(file)) ?? [];
      if (own.length === 0) return next(url, context);
      const source = own.reduce((text, one) => edited(text, one), readFileSync(path, 'utf8'));
      return { format: 'module-typescript', shortCircuit: true, source };
    },
  });
}

function edited(text: string, { file, line, instead }: Edit): string {
  if (text.split(line).length !== 2) throw new Error(`${file} does not have this once: ${line}`);
  return text.replace(line, () => instead);
}
