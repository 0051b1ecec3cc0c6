// Which folder the `paths` of a tsconfig.json start from: that of the file which says them, itself or one that it extends.
// The compiler shows the paths, but not that.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';

/** The folder; undefined when no file says any paths, or one can't be read: the compiler tells of that. */
export function pathsBase(config: string): string | undefined {
  try {
    return findBase(config, new Set());
  } catch {
    return undefined;
  }
}

function findBase(config: string, seen: Set<string>): string | undefined {
  if (seen.has(config)) return undefined;
  seen.add(config);
  const { compilerOptions, extends: bases } = parseConfig(readFileSync(config, 'utf8'));
  if (compilerOptions?.paths !== undefined) return dirname(config);
  // The last one wins.
  for (const base of (typeof bases === 'string' ? [bases] : (bases ?? [])).toReversed()) {
    const found = findBase(fileOf(base, config), seen);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fileOf(base: string, config: string): string {
  if (/^(\.|\/|[a-z]:)/i.test(base)) {
    const path = resolve(dirname(config), base);
    return existsSync(path) ? path : `${path}.json`;
  }
  const require = createRequire(config);
  for (const name of [base, `${base}.json`, `${base}/tsconfig.json`]) {
    try {
      const path = require.resolve(name);
      if (path.endsWith('.json')) return path;
    } catch {
      // One of the other names may be it.
    }
  }
  return require.resolve(base);
}

interface Config {
  readonly extends?: string | readonly string[];
  readonly compilerOptions?: { readonly paths?: object };
}

/** JSON that may hold comments, and commas at the end of lists. */
function parseConfig(text: string): Config {
  const bare = text.replace(/^\uFEFF/, '').replaceAll(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, '$1');
  const whole = bare.replaceAll(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, '$1');
  // The compiler checks it.
  return JSON.parse(whole) as Config;
}
