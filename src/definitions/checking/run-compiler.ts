// The TypeScript compiler as a process: what it is started with, and what it said.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { HeadraceError, messageOf } from '../../core/index.ts';

/** One thing that the compiler has to say. */
export interface Diagnostic {
  /** As the compiler names it: relative to where it was started, or absolute. Undefined: of no file. */
  readonly file: string | undefined;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** `TS2322` */
  readonly code: string;
  readonly message: string;
}

const WHAT_TO_DO = 'Install Headrace again, with its optional dependencies';

/** Runs the compiler of this package; gives its standard output. Throws HR_TYPESCRIPT_UNAVAILABLE when it can't start. */
export async function runCompiler(args: readonly string[], directory: string): Promise<string> {
  const { code, stdout, stderr } = await run([compilerPath(), ...args], directory);
  // 1 and 2: there are mistakes, and they were told.
  if (code === 0 || ((code === 1 || code === 2) && stdout.trim() !== '')) return stdout;
  const [reason] = (stderr.trim() || stdout.trim() || `it ended with ${code}`)
    .split('\n')
    .filter((line) => /\w/.test(line));
  throw new HeadraceError(
    'HR_TYPESCRIPT_UNAVAILABLE',
    `the TypeScript compiler could not be run: ${reason}. ${WHAT_TO_DO}.`,
  );
}

function compilerPath(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  } catch (cause) {
    const message = `the TypeScript compiler is not installed: ${messageOf(cause)}. ${WHAT_TO_DO}.`;
    throw new HeadraceError('HR_TYPESCRIPT_UNAVAILABLE', message, { cause });
  }
}

interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], directory: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text;
      });
    }
    child.on('error', (error) => resolve({ ...texts, code: 'an error', stderr: error.message }));
    child.on('close', (code, signal) => resolve({ ...texts, code: code ?? `signal ${signal}` }));
  });
}

/** Reads what `--pretty false` prints: a line for each mistake, and indented lines that go on. */
export function parseDiagnostics(output: string): Diagnostic[] {
  const found: { file: string | undefined; line: number; column: number; code: string; message: string }[] = [];
  for (const line of output.split(/\r?\n/)) {
    const placed = /^(.+?)\((\d+),(\d+)\): error (TS\d+): (.*)$/.exec(line);
    const global = placed === null ? /^error (TS\d+): (.*)$/.exec(line) : null;
    const last = found.at(-1);
    if (placed !== null) {
      const [, file, row, column, code = '', message = ''] = placed;
      found.push({ file, line: Number(row), column: Number(column), code, message });
    } else if (global !== null) {
      found.push({ file: undefined, line: 0, column: 0, code: global[1] ?? '', message: global[2] ?? '' });
    } else if (last !== undefined && /^\s+\S/.test(line)) {
      last.message += ` ${line.trim()}`;
    }
  }
  return found;
}
