// Imports a user's TypeScript from anywhere: `headrace` resolves to this very program, so two copies never mix, and a
// changed repository can be loaded again in the same process.

import { existsSync, realpathSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { looseCandidates } from './loose-resolution.ts';

// The package's entry beside this folder, in whichever form runs: sources or the build.
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const ENTRY = new URL(`../../index.${EXTENSION}`, import.meta.url).href;
const VERSION = 'headrace-load';

const require = createRequire(import.meta.url);
const { platformImport } = require(`./platform-import.${EXTENSION}`) as typeof import('./platform-import.ts');

let loads = 0;
let isHooked = false;
/** URL prefixes of the folders whose modules are loaded anew each time. */
const roots = new Set<string>();
/** Where each import of a user's module led, by its file and specifier: a bundle must hold the very same modules. */
const resolutions = new Map<string, string>();

/**
 * Imports a module and gives its exports. Modules under `root` (default: the file's folder) are read anew, whatever was
 * loaded before; all others are shared.
 */
export async function importModule(path: string, root?: string): Promise<Record<string, unknown>> {
  return importWith(path, root, ++loads);
}

/** An importer of several modules that share what they import from `root`. */
export function createImporter(root: string): (path: string) => Promise<Record<string, unknown>> {
  const load = ++loads;
  return (path) => importWith(path, root, load);
}

/** The URL of the module that an import in a user's file led to; undefined when it was not met so far. */
export function resolvedImport(importer: string, specifier: string): string | undefined {
  return resolutions.get(`${pathToFileURL(importer).href} ${specifier}`);
}

function importWith(path: string, root: string | undefined, load: number): Promise<Record<string, unknown>> {
  hook();
  const url = pathToFileURL(path);
  // The platform resolves links, so the prefix must be the real folder's.
  roots.add(`${pathToFileURL(realpathSync(root ?? dirname(path))).href}/`);
  url.searchParams.set(VERSION, String(load));
  return platformImport(url.href);
}

function hook(): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === 'headrace') return { url: ENTRY, shortCircuit: true };
      const version = context.parentURL === undefined ? null : versionOf(context.parentURL);
      const resolved =
        version === null ? nextResolve(specifier, context) : resolveLoosely(specifier, context, nextResolve);
      if (context.parentURL !== undefined && !context.parentURL.includes('/node_modules/'))
        resolutions.set(`${withoutQuery(context.parentURL)} ${specifier}`, withoutQuery(resolved.url));
      const wanted = version ?? versionOf(resolved.url);
      if (wanted === null || !isUnderRoot(resolved.url)) return resolved;
      const url = new URL(resolved.url);
      url.searchParams.set(VERSION, wanted);
      const format = formatOf(url);
      return { ...resolved, url: url.href, ...(format === undefined ? {} : { format }) };
    },
  });
}

type Resolve = Parameters<NonNullable<Parameters<typeof registerHooks>[0]['resolve']>>;

function resolveLoosely(specifier: string, context: Resolve[1], nextResolve: Resolve[2]): ReturnType<Resolve[2]> {
  if (specifier.startsWith('.') && context.parentURL !== undefined) {
    const url = new URL(specifier, context.parentURL);
    const found = looseCandidates(fileURLToPath(url)).find((candidate) => existsSync(candidate));
    if (found !== undefined) return nextResolve(pathToFileURL(found).href, context);
  }
  return nextResolve(specifier, context);
}

function withoutQuery(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? url : url.slice(0, at);
}

function versionOf(url: string): string | null {
  return url.includes(VERSION) ? new URL(url).searchParams.get(VERSION) : null;
}

function isUnderRoot(url: string): boolean {
  if (url.includes('/node_modules/')) return false;
  for (const root of roots) if (url.startsWith(root)) return true;
  return false;
}

// A repository has no package.json that would tell Node how to read it: its files are modules.
function formatOf(url: URL): string | undefined {
  if (/\.m?ts$/.test(url.pathname)) return 'module-typescript';
  return /\.m?js$/.test(url.pathname) ? 'module' : undefined;
}
