// Python environments through kills, made by pip and by a real uv: one that was cut off is never taken for whole, and stands in nobody's way.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { type EnvironmentBuild, openPythonEnvironments } from '../../src/orchestrator/index.ts';
import { until } from '../support/executor-world.ts';
import { bringPackages } from '../support/python-packages.ts';
import { skipBecause } from '../support/skips.ts';
import { fullIt, isFull } from '../support/tier.ts';

const BUILDER = fileURLToPath(new URL('../support/build-python-environment.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'headrace-environments-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

/** A package of one module, as a wheel: nothing of it is fetched. */
function writeWheel(): string {
  const wheel = join(directory, 'tiny-1.0-py3-none-any.whl');
  const program = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('tiny.py', 'name = "whole"')
    wheel.writestr('tiny-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n')
    wheel.writestr('tiny-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('tiny-1.0.dist-info/RECORD', '')
`;
  execFileSync('python3', ['-c', program, wheel]);
  return wheel;
}

function build(environments: string, requirements: string): ChildProcess {
  const args = ['--conditions=headrace-source', BUILDER, environments, requirements];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

const uv = isFull ? bringPackages('uv-0.13.9', ['uv==0.13.9']) : 'it is brought in the full tier alone';
if (isFull && typeof uv === 'string') skipBecause(`Python environments by uv: ${uv}`);
afterEach(() => vi.unstubAllEnvs());

/** The PATH with this machine's Python, and with that uv alone or with none. */
function pathWith(tool: 'pip' | 'uv'): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !isThere(join(folder, 'uv')));
  if (tool === 'pip' || typeof uv === 'string') return folders.join(delimiter);
  const bin = join(directory, 'uv-alone');
  if (isThere(join(bin, 'uv'))) return [bin, ...folders].join(delimiter);
  mkdirSync(bin);
  // Beside it there is a Python of its own.
  symlinkSync(join(uv.bin, 'uv'), join(bin, 'uv'));
  return [bin, ...folders].join(delimiter);
}

function isThere(program: string): boolean {
  try {
    accessSync(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const TOOLS = typeof uv === 'string' ? (['pip'] as const) : (['pip', 'uv'] as const);

// twin: test/integration/python-environments.test.ts > are told of while they are built, from the beginning to the end, and not where they are there
fullIt.each(TOOLS)(
  'made by %s is whole for who gets it, whenever those before were killed, and built once for all',
  { timeout: 180_000 },
  async (tool) => {
    vi.stubEnv('PATH', pathWith(tool));
    const environments = join(directory, tool);
    const requirements = join(directory, 'requirements.txt');
    writeFileSync(requirements, `${writeWheel()}\n`);
    const folders = () => (readdirSync(directory).includes(tool) ? readdirSync(environments) : []);
    const half = () => folders().filter((name) => /^[0-9a-f]{16}-[0-9a-f]+$/.test(name));

    // As soon as it has begun, and when there is an interpreter but no package yet.
    for (const isFarEnough of [() => true, (name: string) => readdirSync(join(environments, name)).includes('bin')]) {
      const builder = build(environments, requirements);
      const before = new Set(half());
      await until(() => half().some((name) => !before.has(name) && isFarEnough(name)), 'a folder');
      builder.kill('SIGKILL');
      await once(builder, 'exit');
      expect(folders().some((name) => name.endsWith('.ready'))).toBe(false);
    }

    // Two at once, in two processes: the lock of the dead is free, and one of them builds.
    const other = build(environments, requirements);
    let said = '';
    other.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const closed = once(other, 'close');
    const interpreter = await openPythonEnvironments(environments, 'python3').interpreter(requirements);
    await closed;
    expect(said.trim()).toBe(interpreter);
    expect(execFileSync(interpreter, ['-c', 'import tiny; print(tiny.name)']).toString()).toBe('whole\n');
    expect(half()).toHaveLength(1);
    const [made = ''] = half();
    // Who made it, it says itself.
    const isByUv = readFileSync(join(environments, made, 'pyvenv.cfg'), 'utf8').includes('uv =');
    expect(isByUv).toBe(tool === 'uv');
  },
);

// twin: test/unit/named-requirements.test.ts > is read from the folder of the file that names it, each once
fullIt('made of a file that takes in others is a new one once one of them changes', { timeout: 120_000 }, async () => {
  vi.stubEnv('PATH', pathWith('uv'));
  const environments = join(directory, 'nested');
  const folder = join(directory, 'requirements');
  mkdirSync(folder);
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write('requirements.txt', '-r base.txt\n-c pins.txt\n');
  write('base.txt', '# none yet\n');
  write('pins.txt', '');
  const interpreter = () =>
    openPythonEnvironments(environments, 'python3').interpreter(join(folder, 'requirements.txt'));
  const first = await interpreter();
  expect(await interpreter()).toBe(first);
  write('base.txt', `${writeWheel()}\n`);
  const second = await interpreter();
  expect(second).not.toBe(first);
  expect(execFileSync(second, ['-c', 'import tiny; print(tiny.name)']).toString()).toBe('whole\n');
  write('pins.txt', 'tiny==2.0\n');
  await expect(interpreter()).rejects.toMatchObject({ code: 'HR_PYTHON_UNAVAILABLE' });
});

it('are told of while they are built, from the beginning to the end, and not where they are there', async () => {
  const bin = join(directory, 'slow-uv');
  mkdirSync(bin);
  const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
  const script = `#!/bin/sh
[ "$1" = venv ] || exit 0
sleep 1
for folder; do :; done
mkdir -p "$folder/bin" && ln -s '${python}' "$folder/bin/python"
`;
  writeFileSync(join(bin, 'uv'), script, { mode: 0o755 });
  vi.stubEnv('PATH', `${bin}${delimiter}${process.env['PATH']}`);
  const requirements = join(directory, 'told.txt');
  writeFileSync(requirements, 'tiny==1.0\n');
  const told: EnvironmentBuild[] = [];
  const onBuild = (build: EnvironmentBuild): void => void told.push(build);
  const folder = join(directory, 'told');
  const [one, other] = [1, 2].map(() => openPythonEnvironments(folder, 'python3', { onBuild, everyMs: 100 }));
  const built = one?.interpreter(requirements);
  await until(() => told.length > 0);
  const waited = other?.interpreter(requirements);
  expect(await waited).toBe(await built);
  const states = told.map(({ of, state }) => `${of} ${state}`);
  expect(states[0]).toBe('told.txt builds');
  expect(states.filter((state) => state === 'told.txt builds').length).toBeGreaterThan(2);
  expect(states).toContain('told.txt waits');
  expect(states.filter((state) => state === 'told.txt done')).toHaveLength(2);
  expect(told.every(({ seconds }) => seconds >= 0 && seconds < 60)).toBe(true);
  const before = told.length;
  await one?.interpreter(requirements);
  expect(told).toHaveLength(before);
  // What can't be built is told of, too.
  writeFileSync(join(bin, 'uv'), '#!/bin/sh\n[ "$1" != pip ]\n', { mode: 0o755 });
  writeFileSync(requirements, 'tiny==2.0\n');
  await expect(one?.interpreter(requirements)).rejects.toMatchObject({ code: 'HR_PYTHON_UNAVAILABLE' });
  expect(told.at(-1)).toMatchObject({ state: 'failed' });
});
