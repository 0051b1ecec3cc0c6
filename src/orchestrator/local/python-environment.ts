// A Python step's environment: a venv with its requirements, built once, keyed by what it is built from.

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HeadraceError, isProcessAlive, sha256Hex } from '../../core/index.ts';

export interface PythonEnvironments {
  /** The interpreter to run a script with. Throws HR_PYTHON_UNAVAILABLE, with the end of what pip said. */
  interpreter(requirementsFile: string | undefined): Promise<string>;
}

/** Environments under `directory`, made by `python` (a command or a path). */
export function openPythonEnvironments(directory: string, python: string): PythonEnvironments {
  const building = new Map<string, Promise<string>>();
  let version: string | undefined;
  return {
    async interpreter(requirementsFile) {
      version ??= pythonVersion(python);
      if (requirementsFile === undefined) return python;
      const requirements = readRequirements(requirementsFile);
      const key = sha256Hex(JSON.stringify([python, version, process.platform, process.arch, requirements])).slice(
        0,
        16,
      );
      const existing = building.get(key);
      if (existing !== undefined) return await existing;
      const built = build(join(directory, key), python, requirementsFile);
      building.set(key, built);
      // A failure (no network) may pass: the next step tries again.
      built.catch(() => building.delete(key));
      return await built;
    },
  };
}

function pythonVersion(python: string): string {
  const { status, stdout, error } = spawnSync(python, ['-c', 'import sys; print(sys.version)'], { encoding: 'utf8' });
  if (status === 0 && stdout.startsWith('3.')) return stdout.trim();
  const found = status === 0 ? `it is Python ${stdout.trim()}` : (error?.message ?? `it exits with ${status}`);
  throw new HeadraceError(
    'HR_PYTHON_UNAVAILABLE',
    `a step needs Python 3, tried "${python}": ${found}; install Python 3`,
  );
}

function readRequirements(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HeadraceError('HR_STEP_FAILED', `the step's requirements file ${file} cannot be read`, { cause });
  }
}

async function build(environment: string, python: string, requirementsFile: string): Promise<string> {
  const interpreter =
    process.platform === 'win32' ? join(environment, 'Scripts', 'python.exe') : join(environment, 'bin', 'python');
  const ready = `${environment}.ready`;
  mkdirSync(join(environment, '..'), { recursive: true });
  if (noteUse(ready)) return interpreter;
  await withLock(`${environment}.lock`, async () => {
    if (exists(ready)) return;
    rmSync(environment, { recursive: true, force: true });
    await run(python, ['-m', 'venv', environment], 'make a virtual environment');
    const pip = [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--no-input',
      '--prefer-binary',
      '--retries',
      '2',
    ];
    await run(interpreter, [...pip, '-r', requirementsFile], `install ${requirementsFile}`);
    writeFileSync(ready, '');
  });
  return interpreter;
}

/** False where it is not built. Environments go by when they were used last. */
function noteUse(ready: string): boolean {
  try {
    utimesSync(ready, new Date(), new Date());
    return true;
  } catch {
    return exists(ready); // it is another user's
  }
}

// Two processes must not build one environment at once; a lock whose process died is taken over.
export async function withLock(lock: string, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      const file = openSync(lock, 'wx');
      writeFileSync(file, String(process.pid));
      closeSync(file);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // openSync throws only system errors
      if (isAbandoned(lock)) rmSync(lock, { force: true });
      else await delay(200);
    }
  }
  try {
    await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function isAbandoned(lock: string): boolean {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    // Without an id its process is about to write it, or died before it could.
    return pid === 0 ? Date.now() - statSync(lock).mtimeMs > 10_000 : !isProcessAlive(pid);
  } catch {
    return false; // it was given back meanwhile
  }
}

function exists(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

async function run(command: string, args: readonly string[], what: string): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const keep = (chunk: Buffer): void => {
    said = (said + chunk.toString()).slice(-4000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const status = await new Promise<number | string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  if (status === 0) return;
  const tail = said.trim().split('\n').slice(-8).join('\n');
  throw new HeadraceError('HR_PYTHON_UNAVAILABLE', `could not ${what} (${status}):\n${tail}`);
}
