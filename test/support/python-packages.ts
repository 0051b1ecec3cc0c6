// Packages from PyPI in a virtual environment in the user's cache, installed once: clients and validators of others.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const INSTALL_LIMIT_MS = 180_000;

/** Installs them where they aren't yet; gives the folder of the environment's programs, or in a sentence why there is none. */
export function bringPackages(
  name: string,
  requirements: readonly string[],
  limitMs = INSTALL_LIMIT_MS,
): { readonly bin: string } | string {
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headrace', name);
  const done = join(folder, '.installed');
  if (!existsSync(done)) {
    const failure = install(folder, requirements, limitMs);
    if (failure !== undefined) return failure;
    writeFileSync(done, '');
  }
  return { bin: join(folder, 'bin') };
}

function install(folder: string, requirements: readonly string[], timeout: number): string | undefined {
  if (spawnSync('python3', ['--version']).status !== 0) return 'there is no python3';
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const options = { encoding: 'utf8', timeout } as const;
  const venv = spawnSync('python3', ['-m', 'venv', folder], options);
  if (venv.status !== 0) return `python3 -m venv failed: ${lastLine(venv.stderr)}`;
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...requirements];
  const installed = spawnSync(join(folder, 'bin', 'python'), pip, options);
  return installed.status === 0
    ? undefined
    : `${requirements.join(', ')} do not install: ${lastLine(installed.stderr)}`;
}

function lastLine(text: string | null): string {
  return (text ?? '').trim().split('\n').at(-1) ?? '';
}
