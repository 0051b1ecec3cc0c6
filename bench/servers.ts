// Servers as processes of their own, that print a line of JSON with their URL on stdout when they listen.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface BenchServer {
  readonly url: string;
  /** Host and port of gRPC; empty where it is not served. */
  readonly grpc: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface StartHeadrace {
  readonly workers?: number;
  /** gRPC is served where it is given. */
  readonly grpcPort?: number;
  /** Options of Node itself. */
  readonly node?: readonly string[];
  /** Hears every other line of its stdout. */
  readonly heard?: (line: string) => void;
  /** What it logs is not shown: of one that is to fail. */
  readonly isSilent?: boolean;
}

/** The server of the project in `directory`: one worker, unless told otherwise. */
export function startHeadrace(directory: string, options: StartHeadrace = {}): Promise<BenchServer> {
  const { workers = 1, node = [], grpcPort, heard, isSilent } = options;
  const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
  const args = [...node, main, 'serve', '--port', '0', '--workers', String(workers), '--json'];
  if (grpcPort !== undefined) args.push('--grpc-port', String(grpcPort));
  return startServer(args, directory, heard, isSilent);
}

/** A script of this folder. */
export function startScript(script: string, args: readonly string[], directory: string): Promise<BenchServer> {
  return startServer([fileURLToPath(new URL(script, import.meta.url)), ...args], directory);
}

async function startServer(
  args: readonly string[],
  cwd: string,
  heard: (line: string) => void = () => {},
  isSilent = false,
): Promise<BenchServer> {
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: ['ignore', 'pipe', isSilent ? 'ignore' : 'inherit'],
    env: { ...process.env, npm_lifecycle_event: '', HEADRACE_LOG_LEVEL: 'warn' },
  });
  const { url, grpc = '' } = await new Promise<Announced>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return heard(line);
      const announced = JSON.parse(line) as Partial<Announced>;
      if (announced.url !== undefined) resolve(announced as Announced);
    });
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${String(code)}`)));
  });
  return { url, grpc, pid: child.pid ?? 0, stop: () => stopChild(child) };
}

interface Announced {
  readonly url: string;
  readonly grpc?: string;
}

/** A server that does not stop by itself is ended. */
const STOP_LIMIT_MS = 20_000;

function stopChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    child.once('exit', () => {
      clearTimeout(killer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

const READY_LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 10;

/** Resolves when it says that it is ready. Throws after a minute. */
export async function untilReady({ url }: Pick<BenchServer, 'url'>): Promise<void> {
  const limitMs = performance.now() + READY_LIMIT_MS;
  while (!(await fetch(`${url}/health/ready`)).ok) {
    if (performance.now() > limitMs) throw new Error(`not ready within ${READY_LIMIT_MS / 1000} s: ${url}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
