// Servers as processes of their own, whose first line on stdout is a JSON document with their URL.

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface BenchServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** The server of the project in `directory`. */
export function startHeadrace(directory: string, workers = 1): Promise<BenchServer> {
  const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
  return startServer([main, 'serve', '--port', '0', '--workers', String(workers), '--json'], directory);
}

/** A script of this folder. */
export function startScript(script: string, args: readonly string[], directory: string): Promise<BenchServer> {
  return startServer([fileURLToPath(new URL(script, import.meta.url)), ...args], directory);
}

async function startServer(args: readonly string[], cwd: string): Promise<BenchServer> {
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, npm_lifecycle_event: '', HEADRACE_LOG_LEVEL: 'warn' },
  });
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (!text.includes('\n')) return;
      const { url } = JSON.parse(text) as { url?: string };
      if (url !== undefined) resolve(url);
    });
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${String(code)}`)));
  });
  return { url, pid: child.pid ?? 0, stop: () => stopChild(child) };
}

function stopChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
