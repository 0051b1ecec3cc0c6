// Schemathesis, which makes requests from an OpenAPI document and judges the answers: installed from PyPI into a virtual
// environment in the user's cache, once.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const VERSION = '4.32.5';
const INSTALL_LIMIT_MS = 180_000;

export interface Schemathesis {
  /** Runs it against a document's URL, in `directory`. `limitSeconds` bounds the fuzzing; the run is killed a minute past it. */
  run(url: string, options: RunOptions): Promise<{ readonly code: number | null; readonly output: string }>;
}

export interface RunOptions {
  readonly directory: string;
  readonly limitSeconds: number;
  readonly examples: number;
  readonly checks: readonly string[];
  /** A streaming answer never ends. */
  readonly excludedPaths: readonly string[];
  /** By name; sent as they are where an operation takes them. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Installs it where it isn't yet; the reason, where that can't be. */
export function bringSchemathesis(): Schemathesis | string {
  const folder = join(
    process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    'headrace',
    `schemathesis-${VERSION}`,
  );
  const program = join(folder, 'bin', 'schemathesis');
  const done = join(folder, '.installed');
  if (!existsSync(done)) {
    const failure = install(folder);
    if (failure !== undefined) return failure;
    writeFileSync(done, '');
  }
  return {
    run(url, options) {
      const { directory, limitSeconds, examples, checks, excludedPaths, headers } = options;
      const config = join(directory, 'schemathesis.toml');
      const fixed = Object.entries(headers).map(([name, value]) => `"header.${name}" = ${JSON.stringify(value)}\n`);
      writeFileSync(config, `[parameters]\n${fixed.join('')}`);
      const limits = `--max-examples ${examples} --max-time ${limitSeconds} --seed 1 --generation-database none`;
      const told = '--phases examples,coverage,fuzzing --continue-on-failure --warnings off --no-color';
      const words = [
        '--config-file',
        config,
        'run',
        url,
        ...`${told} ${limits} --checks ${checks.join(',')}`.split(' '),
        ...excludedPaths.flatMap((path) => ['--exclude-path', path]),
      ];
      return runToEnd(program, words, directory, (limitSeconds + 60) * 1000);
    },
  };
}

function install(folder: string): string | undefined {
  if (spawnSync('python3', ['--version']).status !== 0) return 'there is no python3';
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const options = { encoding: 'utf8', timeout: INSTALL_LIMIT_MS } as const;
  const venv = spawnSync('python3', ['-m', 'venv', folder], options);
  if (venv.status !== 0) return `python3 -m venv failed: ${lastLine(venv.stderr)}`;
  const pip = [
    join(folder, 'bin', 'python'),
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
  ] as const;
  const installed = spawnSync(pip[0], [...pip.slice(1), `schemathesis==${VERSION}`], options);
  return installed.status === 0 ? undefined : `schemathesis ${VERSION} does not install: ${lastLine(installed.stderr)}`;
}

function lastLine(text: string | null): string {
  return (text ?? '').trim().split('\n').at(-1) ?? '';
}

function runToEnd(
  program: string,
  words: readonly string[],
  directory: string,
  limitMs: number,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(program, words, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
