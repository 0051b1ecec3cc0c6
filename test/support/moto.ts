// moto, AWS' services for tests, in a Python environment that is made once and kept beside node_modules' caches.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const PACKAGES = ['moto[s3]==5.2.5', 'flask', 'flask-cors'];
const INSTALL_LIMIT_MS = 90_000;

/** The folder of its programs; undefined where it can't be had through python3, venv and pip. */
export function motoPrograms(): string | undefined {
  const environment = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'headrace', 'moto');
  const programs = join(environment, 'bin');
  const isThere = (): boolean => existsSync(join(environment, 'made'));
  if (isThere()) return programs;
  mkdirSync(dirname(environment), { recursive: true });
  return whileLocked(`${environment}.lock`, () => isThere() || makeEnvironment(environment)) ? programs : undefined;
}

/** Test files run at once, and each may be the first to want it. */
function whileLocked(lock: string, work: () => boolean): boolean {
  while (!isTaken(lock)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  try {
    return work();
  } finally {
    rmdirSync(lock);
  }
}

function isTaken(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    // That of a process which was killed counts no more.
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
    if (since !== undefined && Date.now() - since > 3 * INSTALL_LIMIT_MS)
      rmSync(lock, { recursive: true, force: true });
    return false;
  }
}

function makeEnvironment(folder: string): boolean {
  const how = { stdio: 'ignore', timeout: INSTALL_LIMIT_MS } as const;
  rmSync(folder, { recursive: true, force: true });
  const isMade =
    spawnSync('python3', ['-m', 'venv', folder], how).status === 0 &&
    spawnSync(join(folder, 'bin', 'pip'), ['install', '-q', ...PACKAGES], how).status === 0;
  if (isMade) writeFileSync(join(folder, 'made'), '');
  else rmSync(folder, { recursive: true, force: true });
  return isMade;
}
