// Writes tables of a lake as others do, by pyiceberg and deltalake in a Python environment that is made once and kept beside
// node_modules' caches: `lake-writer.py` in a process of its own.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { skipBecause } from './skips.ts';

const PACKAGES = ['pyiceberg[sql-sqlite,pyarrow]==0.12.0', 'deltalake==1.6.6', 'pyarrow==26.0.1', 'pyroaring==1.2.0'];
const INSTALL_LIMIT_MS = 180_000;
const environment = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'headrace', 'lake-writer');
const python = join(environment, 'bin', 'python');

export interface LakeWriter {
  /** Does one of the requests of `lake-writer.py`. */
  ask(request: { readonly do: string } & Readonly<Record<string, unknown>>): Promise<WrittenTable>;
  stop(): Promise<void>;
}

/** What a request answers of these. */
export interface WrittenTable {
  readonly location: string;
  readonly metadata: string;
  readonly snapshot: string | null;
  readonly version: number;
  readonly files: readonly string[];
  readonly removed: readonly string[];
  readonly rows: number;
}

/** The Python to write with; undefined, said loudly, when it can't be had. `suite` names the tests in the notice. */
export function findLakeWriter(suite: string): string | undefined {
  if (bringLakeWriter()) return python;
  skipBecause(`${suite}: pyiceberg and deltalake can't be had (through python3, venv and pip)`);
  return undefined;
}

/** Makes the environment where it is not there, whole or not at all; whether it is there then. */
export function bringLakeWriter(): boolean {
  if (existsSync(python)) return true;
  mkdirSync(dirname(environment), { recursive: true });
  const scratch = mkdtempSync(`${environment}-`);
  const how = { stdio: 'ignore', timeout: INSTALL_LIMIT_MS } as const;
  // Run as a module, it doesn't mind that the folder is renamed.
  const pip = ['-m', 'pip', 'install', '-q', ...PACKAGES];
  const isMade =
    spawnSync('python3', ['-m', 'venv', scratch], how).status === 0 &&
    spawnSync(join(scratch, 'bin', 'python'), pip, how).status === 0;
  try {
    if (isMade && !existsSync(environment)) renameSync(scratch, environment);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return existsSync(python);
}

export function startLakeWriter(python: string): LakeWriter {
  const process: ChildProcessWithoutNullStreams = spawn(python, [join(import.meta.dirname, 'lake-writer.py')]);
  const waiting: ((line: string | undefined) => void)[] = [];
  let said = '';
  process.stderr.on('data', (bytes) => (said = `${said}${String(bytes)}`.slice(-4000)));
  const lines = createInterface({ input: process.stdout });
  lines.on('line', (line) => waiting.shift()?.(line));
  const ended = new Promise<void>((resolve) => process.once('exit', () => resolve()));
  void ended.then(() => waiting.splice(0).forEach((answer) => answer(undefined)));
  return {
    async ask(request) {
      const line = await new Promise<string | undefined>((resolve) => {
        waiting.push(resolve);
        process.stdin.write(`${JSON.stringify(request)}\n`);
      });
      if (line === undefined) throw new Error(`the writer ended: ${said}`);
      const { ok, trace } = JSON.parse(line) as { ok?: WrittenTable; trace?: string };
      if (ok === undefined) throw new Error(trace);
      return ok;
    },
    async stop() {
      process.stdin.end();
      await ended;
    },
  };
}
