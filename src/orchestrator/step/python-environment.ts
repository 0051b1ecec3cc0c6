// A Python step's environment: a venv with its requirements, built once, keyed by what it is built from. It is built in a
// folder of its own name, which `KEY.ready` names once it is whole: what was cut off is in nobody's way.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HeadraceError, sha256Hex } from '../../core/index.ts';
import { inheritedVariables } from './environment.ts';
import { withKernelLock } from './kernel-lock.ts';
import { MARK } from './marks.ts';
import { readRequirements } from './read-requirements.ts';
import { type BuildTeller, type EnvironmentBuild, tellBuild } from './tell-build.ts';

export interface PythonEnvironments {
  /**
   * The interpreter to run a script with; `packages` are there beside the requirements.
   * Throws HR_PYTHON_UNAVAILABLE, with the end of what pip said.
   */
  interpreter(requirementsFile: string | undefined, packages?: readonly string[]): Promise<string>;
}

interface Python {
  readonly executable: string;
  readonly version: string;
}

export interface WatchBuilds {
  /** Told as one is built here, or waited for. */
  readonly onBuild?: (build: EnvironmentBuild) => void;
  /** How often meanwhile. Default: every 30 s. */
  readonly everyMs?: number;
}

/** Environments under `directory`, made by `python` (a command or a path), with `uv` where that is on the PATH. */
export function openPythonEnvironments(
  directory: string,
  python: string,
  { onBuild = () => {}, everyMs }: WatchBuilds = {},
): PythonEnvironments {
  const building = new Map<string, Promise<string>>();
  let found: Promise<Python> | undefined;
  return {
    async interpreter(requirementsFile, packages = []) {
      found ??= findPython(python);
      // Python may be installed meanwhile.
      found.catch(() => {
        found = undefined;
      });
      const { executable, version } = await found;
      if (requirementsFile === undefined && packages.length === 0) return executable;
      const [requirements = '', ...nested] = requirementsFile === undefined ? [] : readRequirements(requirementsFile);
      const parts: unknown[] = [python, version, process.platform, process.arch, requirements];
      if (packages.length > 0) parts.push(packages);
      if (nested.length > 0) parts.push({ nested });
      const key = sha256Hex(JSON.stringify(parts)).slice(0, 16);
      const existing = building.get(key);
      if (existing !== undefined) return await existing;
      const tell = (of: string): BuildTeller => tellBuild(of, onBuild, everyMs);
      const built = environmentFor(directory, key, { python: executable, requirementsFile, packages }, tell);
      building.set(key, built);
      // It may be removed later, and a failure (no network) may pass: the next step looks again.
      return await built.finally(() => building.delete(key));
    },
  };
}

/** Versions of packages by their names; null where a package's files stay in a folder of somebody's, who may change them. */
export type Installed = Readonly<Record<string, string | null>>;

/** A Python without an environment of its own. */
export interface Interpreter {
  readonly version: string;
  readonly packages: Installed;
}

const LIST_INSTALLED = `
import hashlib, json, sys
from importlib.metadata import distributions
def version(one):
    direct, files = one.read_text("direct_url.json"), one.read_text("RECORD")
    if not direct:
        return one.version
    if json.loads(direct).get("dir_info", {}).get("editable") or not files:
        return None
    return one.version + " " + hashlib.sha256(files.encode()).hexdigest()
found = {}
for one in distributions():
    found.setdefault((one.metadata["Name"] or "").lower(), version(one))
print()
print(json.dumps([sys.version, found]))`;

/** Asks a Python once for its version and for what it finds installed. Throws HR_PYTHON_UNAVAILABLE. */
export function openInterpreter(python: string): () => Promise<Interpreter> {
  let asked: Promise<Interpreter> | undefined;
  const ask = async (): Promise<Interpreter> => {
    const { executable } = await findPython(python);
    const { status, said, stdout } = await run(executable, ['-c', LIST_INSTALLED], 10_000_000);
    if (status !== 0)
      throw new HeadraceError('HR_PYTHON_UNAVAILABLE', `${python} does not list its packages:\n${said}`);
    const [version, packages] = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as [string, Installed]; // as the program prints it
    return { version, packages };
  };
  return () => {
    asked ??= ask();
    // Python may be installed meanwhile.
    asked.catch(() => {
      asked = undefined;
    });
    return asked;
  };
}

/**
 * What is installed in the environment whose interpreter lies at `python`, by the names of the folders there: no Python runs. What
 * came from a file or a repository counts by the checksums of its files.
 */
export async function installedBeside(python: string): Promise<Installed> {
  const found: Record<string, string | null> = {};
  const root = dirname(dirname(python));
  for (const library of ['lib', 'Lib']) {
    const versions = readable(join(root, library)).filter((name) => name.startsWith('python3'));
    for (const folder of [...versions.map((name) => join(root, library, name)), join(root, library)]) {
      const site = join(folder, 'site-packages');
      for (const entry of readable(site)) {
        const [, name, version = ''] = /^(.+)-([^-]+)\.dist-info$/.exec(entry) ?? [];
        if (name !== undefined) found[name.toLowerCase()] = await versionIn(join(site, entry), version);
      }
    }
  }
  return found;
}

async function versionIn(folder: string, version: string): Promise<string | null> {
  const direct = await readFile(join(folder, 'direct_url.json'), 'utf8').catch(() => undefined);
  if (direct === undefined) return version;
  if (/"editable"\s*:\s*true/.test(direct)) return null;
  const files = await readFile(join(folder, 'RECORD'), 'utf8').catch(() => undefined);
  return files === undefined ? null : `${version} ${sha256Hex(files)}`;
}

function readable(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}

/** The folder that a pointer names; undefined where there is none, or one of an earlier version, which may be half-built. */
export function readyFolder(directory: string, key: string): string | undefined {
  try {
    const name = readFileSync(join(directory, `${key}.ready`), 'utf8').trim();
    return new RegExp(`^${key}-[0-9a-f]+$`).test(name) ? join(directory, name) : undefined;
  } catch {
    return undefined;
  }
}

/** Held by who builds or removes the environments of a key. */
export function environmentLock(directory: string, key: string): string {
  return join(directory, `${key}.lock.db`);
}

interface Build {
  readonly python: string;
  readonly requirementsFile: string | undefined;
  readonly packages: readonly string[];
}

async function environmentFor(
  directory: string,
  key: string,
  build: Build,
  tell: (of: string) => BuildTeller,
): Promise<string> {
  const existing = inUse(directory, key);
  if (existing !== undefined) return existing;
  const { requirementsFile, packages } = build;
  const told = tell(requirementsFile === undefined ? packages.join(', ') : basename(requirementsFile));
  try {
    const made = await withKernelLock(environmentLock(directory, key), async () => {
      const meanwhile = inUse(directory, key);
      if (meanwhile !== undefined) return meanwhile;
      told.begins();
      return await buildIn(directory, key, build);
    });
    told.ends('done');
    return made;
  } catch (error) {
    told.ends('failed');
    throw error;
  }
}

/** By who holds the lock. */
async function buildIn(directory: string, key: string, build: Build): Promise<string> {
  for (const name of readdirSync(directory)) {
    // Nobody builds while this one holds the lock: these were cut off.
    if (name.startsWith(`${key}-`)) await removed(join(directory, name));
  }
  const folder = `${key}-${randomBytes(4).toString('hex')}`;
  try {
    await makeEnvironment(join(directory, folder), build);
  } catch (error) {
    await removed(join(directory, folder));
    throw error;
  }
  const ready = join(directory, `${key}.ready`);
  writeFileSync(`${ready}.new`, folder);
  renameSync(`${ready}.new`, ready);
  return interpreterIn(join(directory, folder));
}

/** As far as that goes: a pip that outlived its builder may still write there, and what is left is named by nothing. */
async function removed(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
}

/** Environments go by when they were used last, so this one is used now. */
function inUse(directory: string, key: string): string | undefined {
  const folder = readyFolder(directory, key);
  if (folder === undefined) return undefined;
  try {
    utimesSync(join(directory, `${key}.ready`), new Date(), new Date());
  } catch {
    // it is another user's
  }
  return interpreterIn(folder);
}

function interpreterIn(folder: string): string {
  return process.platform === 'win32' ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python');
}

async function makeEnvironment(folder: string, { python, requirementsFile, packages }: Build): Promise<void> {
  await mkdir(join(folder, '..'), { recursive: true });
  const interpreter = interpreterIn(folder);
  const wanted = [...packages, ...(requirementsFile === undefined ? [] : ['-r', requirementsFile])];
  const what = requirementsFile === undefined ? packages.join(', ') : requirementsFile;
  const uv = await run('uv', ['venv', '--quiet', '--python', python, folder]);
  if (uv.status === 0) {
    const installed = await run('uv', ['pip', 'install', '--quiet', '--python', interpreter, ...wanted]);
    return requireDone(installed, `install ${what} with uv`);
  }
  // Not there, or of no use: what Python has of its own does as well.
  requireDone(await run(python, ['-m', 'venv', folder]), 'make a virtual environment');
  // Python compiles a module at its first import, as after uv: most of what a library brings is never imported.
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '--no-compile'];
  requireDone(await run(interpreter, [...pip, '--prefer-binary', '--retries', '2', ...wanted]), `install ${what}`);
}

async function findPython(python: string): Promise<Python> {
  // The executable itself: a shim in front of it takes longer to start than Python does.
  const { status, stdout } = await run(python, ['-c', 'import sys; print(sys.executable); print(sys.version)']);
  const [executable = '', ...version] = stdout.trim().split('\n');
  if (status === 0 && version.join(' ').startsWith('3.')) return { executable, version: version.join(' ').trim() };
  const found = status === 0 ? `it is Python ${version.join(' ')}` : `it ends with ${status}`;
  throw new HeadraceError(
    'HR_PYTHON_UNAVAILABLE',
    `a step needs Python 3, tried "${python}": ${found}; install Python 3`,
  );
}

interface Ran {
  readonly status: number | string;
  /** The ends of both streams together, as an error shows them, and of standard output alone, which holds the result. */
  readonly said: string;
  readonly stdout: string;
}

function requireDone({ status, said }: Ran, what: string): void {
  if (status === 0) return;
  const tail = said.trim().split('\n').slice(-8).join('\n');
  throw new HeadraceError('HR_PYTHON_UNAVAILABLE', `could not ${what} (${status}):\n${tail}`);
}

/** A package's own build is a stranger's code: it gets what a step gets, and what pip and uv are set up by. */
function buildVariables(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => /^(?:PIP_|UV_)/.test(name) || name === MARK);
  return { ...inheritedVariables(process.env), ...(Object.fromEntries(own) as Record<string, string>) };
}

/** `keeps`: how many characters of the end of its output are kept. */
async function run(command: string, args: readonly string[], keeps = 4000): Promise<Ran> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: buildVariables() });
  let [said, stdout] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-keeps);
    stdout = (stdout + text).slice(-keeps);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-keeps);
  });
  const status = await new Promise<number | string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  return { status, said, stdout };
}
