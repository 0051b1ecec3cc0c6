// A piece of work that a server is asked for, in a process of its own: the same program in another role, with the server's
// configuration. It reads much, and requests must not wait behind it.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type ErrorCode, type ErrorDetail, HeadraceError } from '../core/index.ts';
import type { App } from './open-app.ts';
import { roleFile } from './role-file.ts';

/** What such a process tells, once, in the place of what it was asked for. */
export interface FailedWork {
  readonly kind: 'failed';
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: readonly ErrorDetail[];
}

/**
 * `start` is the process's one argument, as JSON; `ended` kills it. Gives what it told; where it told nothing how it ended: by a
 * signal, or `code N`. Throws the error that it told.
 */
export async function askProcess<Told extends { readonly kind: string }>(
  { environment }: Pick<App, 'environment'>,
  role: string,
  start: object,
  ended: AbortSignal,
): Promise<Exclude<Told, FailedWork> | { readonly kind: 'silent'; readonly how: string }> {
  // What it logs is the server's log; a signal to the server's group is for the server to pass on.
  const child = fork(roleFile(role), [JSON.stringify(start)], {
    stdio: ['ignore', 2, 2, 'ipc'],
    detached: true,
    env: { ...process.env, ...environment.variables },
  });
  let told: Told | undefined;
  child.on('message', (message: Told) => (told = message));
  const kill = (): void => void child.kill('SIGKILL');
  ended.addEventListener('abort', kill);
  try {
    const [code, killedBy] = (await once(child, 'close')) as [number | null, string | null];
    if (told === undefined) return { kind: 'silent', how: killedBy ?? `code ${code}` };
    if (!hasFailed(told)) return told as Exclude<Told, FailedWork>;
    throw new HeadraceError(told.code, told.message, { details: told.details });
  } finally {
    ended.removeEventListener('abort', kill);
  }
}

function hasFailed(told: { readonly kind: string }): told is FailedWork {
  return told.kind === 'failed';
}
