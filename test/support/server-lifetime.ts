// How long a server of the tests lives: until the test that started it stops it, or, where files share it, until the run ends.

import type { ChildProcess } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFolder } from './run-folder.ts';
import { sendSignal } from './send-signal.ts';

export interface Lifetime {
  /** Files of this worker share it; it ends with the run. Default false: whoever starts it stops it. */
  readonly isShared?: boolean;
}

/** A new folder for a server's files: of the run where the server is shared, else among the temporary files. */
export function serverFolder(name: string, { isShared = false }: Lifetime): string {
  return mkdtempSync(join((isShared ? runFolder() : undefined) ?? tmpdir(), `headrace-${name}-`));
}

/** A shared server doesn't keep its worker alive, and is ended by `endSharedServers` after the run. */
export function leaveToRun(server: ChildProcess, { isShared = false }: Lifetime): void {
  const run = runFolder();
  if (!isShared || run === undefined) return;
  server.unref();
  // A pipe is a socket, which has `unref`; its type in Node's typings is the general stream's.
  (server.stderr as { unref?: () => void } | null)?.unref?.();
  appendFileSync(listOf(run), `${server.pid}\n`);
}

/** Each is asked to end, so that it frees its shared memory (which Postgres has), and killed if it has not in `STOP_MS`. */
export function endSharedServers(run: string): void {
  const pids = existsSync(listOf(run)) ? readFileSync(listOf(run), 'utf8').trimEnd().split('\n').map(Number) : [];
  let left = pids.filter((pid) => sendSignal(pid, 'SIGINT'));
  for (let waited = 0; left.length > 0 && waited < STOP_MS; waited += LOOK_MS) {
    Atomics.wait(NEVER, 0, 0, LOOK_MS);
    left = left.filter((pid) => sendSignal(pid, 0));
  }
  for (const pid of left) sendSignal(pid, 'SIGKILL');
}

const STOP_MS = 5000;
const LOOK_MS = 20;
const NEVER = new Int32Array(new SharedArrayBuffer(4));

const listOf = (run: string): string => join(run, 'shared-servers.txt');
