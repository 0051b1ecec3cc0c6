// A project that `headrace init` has made in a folder of its own, far from this one, and the commands of its README.

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { createProject, headraceJson, type Project } from './serving-project.ts';

export interface TemplateProject extends Pick<Project, 'directory' | 'file' | 'write'> {
  readonly remove: () => void;
}

/** As `npm run headrace -- init NAME` makes it from a clone. */
export function createTemplateProject(name = 'shop'): TemplateProject {
  const parent = createProject({});
  headraceJson(parent, ['init', name], npmOf(parent.directory));
  return {
    directory: parent.file(name),
    file: (path) => join(parent.file(name), path),
    write: (path, content) => parent.write(join(name, path), content),
    remove: parent.remove,
  };
}

/** What npm gives to a script that is run from `directory`. */
export function npmOf(directory: string): Readonly<Record<string, string>> {
  return { npm_lifecycle_event: 'headrace', INIT_CWD: directory, npm_config_user_agent: 'npm/11.0.0 node/v24.1.0' };
}

const MODULES = resolve(import.meta.dirname, '../../node_modules');
const CHECKS = { strict: true, noUncheckedIndexedAccess: true, noEmit: true, skipLibCheck: true };

/** Options of the compiler for a project that lies elsewhere and imports `headrace`. */
export const COMPILER_OPTIONS = {
  ...CHECKS,
  target: 'es2024',
  lib: ['es2024', 'esnext.array'],
  module: 'nodenext',
  allowImportingTsExtensions: true,
  types: ['node'],
  typeRoots: [join(MODULES, '@types')],
  paths: { headrace: [resolve(import.meta.dirname, '../../src/index.ts')] },
};

/** What the compiler says of a project; nothing where all is well. */
export function compile(directory: string): string {
  const words = [join(MODULES, 'typescript/bin/tsc'), '--pretty', 'false', '-p', directory];
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', maxBuffer: 1 << 26 });
  return `${stdout}${stderr}`;
}

/** The shell blocks of a page of Markdown. */
export function shellBlocks(page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block = '']) => block.trimEnd());
}

export interface ShellOutput {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ShellProcess {
  /** What it printed on stdout so far. */
  readonly printed: () => string;
  /** Resolves once its stdout holds the text `times` times; rejects when it ended before. */
  holds(text: string, times?: number): Promise<void>;
  /** Sends a signal to all that it started, as Ctrl-C in a terminal does; its exit code. */
  stop(signal: NodeJS.Signals): Promise<ShellOutput>;
}

/** Runs a line in a project's folder as a person would type it. */
export function shell(directory: string, line: string, env: Readonly<Record<string, string>> = {}): ShellOutput {
  const { status, stdout, stderr } = spawnSync('bash', ['-e', '-c', line], {
    cwd: directory,
    env: { ...process.env, ...bareEnvironment(), ...env },
    encoding: 'utf8',
    timeout: 300_000,
  });
  return { code: status, stdout, stderr };
}

/** The same for one that goes on. */
export function startShell(directory: string, line: string, env: Readonly<Record<string, string>> = {}): ShellProcess {
  const child = spawn('bash', ['-e', '-c', line], {
    cwd: directory,
    env: { ...process.env, ...bareEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let [stdout, stderr] = ['', ''];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const check of waiting) check();
  };
  let code: number | null | undefined;
  const ended = new Promise<ShellOutput>((done) => {
    child.once('close', (exit) => {
      code = exit;
      wake();
      done({ code: exit, stdout, stderr });
    });
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return {
    printed: () => stdout,
    holds: (text, times = 1) =>
      new Promise((done, fail) => {
        const check = (): void => {
          const isThere = stdout.split(text).length > times;
          if (!isThere && code === undefined) return;
          waiting.delete(check);
          if (isThere) done();
          else fail(new Error(`it ended with ${code} before it printed ${text}: ${stdout}\n${stderr}`));
        };
        waiting.add(check);
        check();
      }),
    stop(signal) {
      if (code === undefined && child.pid !== undefined) process.kill(-child.pid, signal);
      return ended;
    },
  };
}

// The test runner may itself run under npm, whose variables would be taken for those of the command.
function bareEnvironment(): Record<string, string> {
  return {
    npm_lifecycle_event: '',
    INIT_CWD: '',
    PATH: `${join(MODULES, '.bin')}${delimiter}${process.env['PATH'] ?? ''}`,
  };
}
