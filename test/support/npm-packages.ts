// Packages from npm in a folder of the user's cache, installed once: other platforms that JavaScript runs on.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const INSTALL_LIMIT_MS = 180_000;

/** Installs them where they aren't yet, without running scripts of theirs; gives node_modules, or in a sentence why there is none. */
export function bringNpmPackages(name: string, packages: readonly string[]): { readonly modules: string } | string {
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headrace', name);
  const done = join(folder, '.installed');
  if (!existsSync(done)) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    const words = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...packages];
    const installed = spawnSync('npm', words, { cwd: folder, encoding: 'utf8', timeout: INSTALL_LIMIT_MS });
    if (installed.status !== 0) {
      const [line = ''] = (installed.stderr ?? '').trim().split('\n').slice(-1);
      return `${packages.join(', ')} do not install: ${line}`;
    }
    writeFileSync(done, '');
  }
  return { modules: join(folder, 'node_modules') };
}
