// moto, AWS' services for tests, in a Python environment that is made once and kept beside node_modules' caches.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const PACKAGES = ['moto[s3]==5.2.5', 'flask', 'flask-cors'];
const INSTALL_LIMIT_MS = 90_000;

/** The folder of its programs; undefined where it can't be had through python3, venv and pip. */
export function motoPrograms(): string | undefined {
  const environment = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'headrace', 'moto');
  const programs = join(environment, 'bin');
  return existsSync(join(programs, 'moto_server')) || makeEnvironment(environment) ? programs : undefined;
}

function makeEnvironment(folder: string): boolean {
  mkdirSync(dirname(folder), { recursive: true });
  const how = { stdio: 'ignore', timeout: INSTALL_LIMIT_MS } as const;
  const isMade =
    spawnSync('python3', ['-m', 'venv', folder], how).status === 0 &&
    spawnSync(join(folder, 'bin', 'pip'), ['install', '-q', ...PACKAGES], how).status === 0;
  if (!isMade) rmSync(folder, { recursive: true, force: true });
  return isMade;
}
