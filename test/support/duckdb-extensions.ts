// DuckDB's extensions for tests: signed ones come as packages from PyPI, of DuckDB's own version, and are kept beside
// node_modules' caches.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { skipBecause } from './skips.ts';

const VERSION = '1.5.5';
const INSTALL_LIMIT_MS = 90_000;
const folder = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'headrace', 'duckdb-extensions');

/** A folder that holds the extensions; undefined, said loudly, when they can't be had. `suite` names who needs them. */
export function findExtensions(names: readonly string[], suite: string): string | undefined {
  const missing = names.filter((name) => !existsSync(fileOf(name)));
  if (missing.length === 0 || bring(missing)) return folder;
  skipBecause(`${suite}: DuckDB's extensions ${missing.join(', ')} can't be had (through python3 and pip)`);
  return undefined;
}

const fileOf = (name: string): string => join(folder, `${name}.duckdb_extension`);

function bring(names: readonly string[]): boolean {
  const target = mkdtempSync(join(tmpdir(), 'headrace-extensions-'));
  try {
    const packages = names.map((name) => `duckdb-extension-${name.replaceAll('_', '-')}==${VERSION}`);
    const pip = ['-m', 'pip', 'install', '-q', '--no-deps', '--target', target, ...packages];
    if (spawnSync('python3', pip, { stdio: 'ignore', timeout: INSTALL_LIMIT_MS }).status !== 0) return false;
    mkdirSync(folder, { recursive: true });
    return names.every((name) => {
      const [found] = globSync(join(target, '**', `${name}.duckdb_extension`));
      if (found !== undefined) copyFileSync(found, fileOf(name));
      return found !== undefined;
    });
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}
