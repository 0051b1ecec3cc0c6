// `headrace serve` as a child of the quickstart: started on the configured port or a free one, ended by it alone.

import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { startChild } from './children.ts';
import { cliFile, root } from './headrace.ts';
import { indent, say } from './story.ts';

export interface Server {
  readonly url: string;
  /** Asks it to stop, and waits until it has drained. */
  stop(): Promise<void>;
}

/** `wantedPort` 0: any. Its log is shown, warnings and errors, where it is not quiet. */
export async function startServer(wantedPort: number, { isQuiet = false } = {}): Promise<Server> {
  const port = (await isFree(wantedPort)) ? wantedPort : 0;
  if (port !== wantedPort) say(indent(`Port ${wantedPort} is taken; a free one is used.`));
  say(indent(`$ headrace serve${port === 0 ? ' --port 0' : ''}`));
  const child = startChild(process.execPath, [cliFile, 'serve', '--port', String(port), '--grpc-port', '0', '--json'], {
    cwd: root,
    stdio: ['ignore', 'pipe', isQuiet ? 'ignore' : 'inherit'],
    env: { ...process.env, HEADRACE_LOG_LEVEL: 'warn' },
  });
  const url = await announcedUrl(child);
  await untilReady(url, child);
  return {
    url,
    async stop() {
      if (child.exitCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      if (child.exitCode !== 0) throw new Error(`headrace serve ended with ${child.exitCode ?? child.signalCode}`);
    },
  };
}

async function announcedUrl(child: ChildProcess): Promise<string> {
  let printed = '';
  return await new Promise((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      const line = printed.split('\n').find((candidate) => candidate.includes('"url"'));
      if (line !== undefined && printed.includes('\n')) resolve((JSON.parse(line) as { url: string }).url); // serve's document
    });
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`headrace serve ended with ${String(code)} before it was up:\n${printed}`)),
    );
  });
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline && child.exitCode === null) {
    const answer = await fetch(`${url}/health/ready`).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('headrace serve was not ready within 30 s');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
