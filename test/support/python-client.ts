// The Python client and its tests: packages from PyPI in a virtual environment of the user's cache, and the wheel, built anew.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = fileURLToPath(new URL('../../clients/python', import.meta.url));
const REQUIREMENTS = join(PACKAGE, 'tests', 'requirements.txt');
const INSTALL_LIMIT_MS = 600_000;
const LEAST_PYTHON = [3, 10] as const;

export interface PythonClient {
  readonly python: string;
  readonly wheel: string;
}

interface PythonResult {
  readonly id: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped. */
  readonly said: string;
}

/** Installs what is missing, builds the wheel; the reason, where packages can't be had. Throws where the wheel does not build. */
export function bringPythonClient(): PythonClient | string {
  const found = spawnSync('python3', ['-c', 'import sys; print(*sys.version_info[:2])'], { encoding: 'utf8' });
  if (found.status !== 0) return 'there is no python3';
  const [major = 0, minor = 0] = found.stdout.trim().split(' ').map(Number);
  const [leastMajor, leastMinor] = LEAST_PYTHON;
  if (major < leastMajor || (major === leastMajor && minor < leastMinor))
    return `python3 is ${major}.${minor}, and the client needs ${LEAST_PYTHON.join('.')}`;
  const wanted = `${found.stdout}\n${readFileSync(REQUIREMENTS, 'utf8')}`;
  const key = createHash('sha256').update(wanted).digest('hex');
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'headrace', `python-client-${key.slice(0, 12)}`);
  const python = join(folder, 'bin', 'python');
  const done = join(folder, '.installed');
  if (!existsSync(done)) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const install = ['install', '--no-compile', '-r', REQUIREMENTS];
    const failure = run('python3', ['-m', 'venv', folder]) ?? pip(python, install);
    if (failure !== undefined) return failure;
    writeFileSync(done, '');
  }
  const wheels = join(folder, 'wheel');
  rmSync(wheels, { recursive: true, force: true });
  const pipOrThrow = (...words: string[]): void => {
    const failure = pip(python, words);
    if (failure !== undefined) throw new Error(failure);
  };
  pipOrThrow('wheel', '--no-deps', '--no-build-isolation', '--wheel-dir', wheels, PACKAGE);
  const wheel = join(wheels, readdirSync(wheels).find((name) => name.endsWith('.whl')) ?? '');
  pipOrThrow('install', '--no-deps', '--force-reinstall', wheel);
  return { python, wheel };
}

/** A virtual environment with nothing but the wheel and what it asks for; its interpreter. Throws where that can't be. */
export function installAlone({ wheel }: PythonClient, folder: string): string {
  const python = join(folder, 'bin', 'python');
  const failure = run('python3', ['-m', 'venv', folder]) ?? pip(python, ['install', wheel]);
  if (failure !== undefined) throw new Error(failure);
  return python;
}

/** Ids of the tests of `files`, of all without any. Throws pytest's own words where they can't be collected. */
export function collectPythonTests({ python }: PythonClient, files: readonly string[]): readonly string[] {
  const args = ['-m', 'pytest', '--collect-only', '-q', '--no-header', ...files];
  const { status, stdout, stderr } = spawnSync(python, args, { cwd: PACKAGE, encoding: 'utf8', timeout: 120_000 });
  if (status !== 0) throw new Error(`pytest --collect-only gave ${String(status)}: ${stdout}${stderr}`);
  return stdout.split('\n').filter((line) => line.includes('::'));
}

/** Runs the tests of `files`, all without any; the result of each that came to one, by its id, and what pytest printed. */
export async function runPythonTests(
  { python }: PythonClient,
  {
    files = [],
    env = {},
  }: { readonly files?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly results: ReadonlyMap<string, PythonResult>; readonly output: string }> {
  const scratch = mkdtempSync(join(tmpdir(), 'headrace-pytest-'));
  const file = join(scratch, 'results.jsonl');
  const child = spawn(python, ['-m', 'pytest', '-q', '--tb=short', '-p', 'no:cacheprovider', ...files], {
    cwd: PACKAGE,
    env: { ...process.env, HEADRACE_NODE: process.execPath, HEADRACE_PYTEST_RESULTS: file, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  const results = new Map<string, PythonResult>();
  for (const line of existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []) {
    const result = JSON.parse(line) as PythonResult;
    // A test that passed may fail as it is taken down.
    if (results.get(result.id)?.outcome !== 'failed') results.set(result.id, result);
  }
  rmSync(scratch, { recursive: true, force: true });
  return { results, output };
}

const pip = (python: string, words: readonly string[]): string | undefined =>
  run(python, ['-m', 'pip', ...words, '--quiet', '--disable-pip-version-check']);

function run(program: string, words: readonly string[]): string | undefined {
  const { status, stderr } = spawnSync(program, words, { encoding: 'utf8', timeout: INSTALL_LIMIT_MS });
  const last = (stderr ?? '').trim().split('\n').at(-1) ?? '';
  return status === 0 ? undefined : `${program} ${words.slice(0, 3).join(' ')} failed: ${last}`;
}
