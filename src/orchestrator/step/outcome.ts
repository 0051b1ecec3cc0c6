// How an attempt at a task ended: what every kind of step gives, wherever it runs.

import type { TaskOutput } from '../engine/batch.ts';
import type { StoredFiles } from './files.ts';

/** EX_CONFIG of sysexits.h: a step that ends with it says that trying again can't help. */
export const FINAL_EXIT_CODE = 78;

export type TaskOutcome =
  | { readonly kind: 'succeeded'; readonly output: TaskOutput; readonly files: StoredFiles }
  | TaskFailure
  /** What ran it died, not it. */
  | { readonly kind: 'lost'; readonly reason: string }
  /** It was cancelled. */
  | { readonly kind: 'stopped' };

export interface TaskFailure {
  readonly kind: 'failed';
  readonly cause: 'exit' | 'timeout' | 'memory';
  readonly reason: string;
  readonly isFinal: boolean;
}

export function failure(reason: string, options: { readonly isFinal?: boolean } = {}): TaskFailure {
  return { kind: 'failed', cause: 'exit', reason, isFinal: options.isFinal === true };
}

export function timedOut(timeoutMs: number): TaskFailure {
  return { kind: 'failed', cause: 'timeout', reason: `timed out after ${timeoutMs / 1000} s`, isFinal: false };
}

/** `usedBytes`: what was seen in use, where that was looked at. */
export function outOfMemory(limitBytes: number, usedBytes?: number): TaskFailure {
  const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  const what = usedBytes === undefined ? 'used more memory than' : `used ${mib(usedBytes)} of memory, more than`;
  const reason = `${what} the ${mib(limitBytes)} that \`resources.memory\` allows; raise it, or do less at once`;
  return { kind: 'failed', cause: 'memory', reason, isFinal: false };
}

/** What code that is not the language's own ends by. */
const CRASHES: ReadonlySet<NodeJS.Signals> = new Set(['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGABRT']);
const CRASHED =
  ' (native code crashed, of a library most likely; in Python, PYTHONFAULTHANDLER=1 among its `env` says where)';

/** Of a process that ended by itself; `lastLine`: of what it had to say of it. SIGKILL comes from outside: the kernel when memory runs out, or an operator. */
export function exitOutcome(
  code: number | null,
  signal: NodeJS.Signals | null,
  lastLine?: string,
): TaskFailure | { readonly kind: 'lost'; readonly reason: string } {
  if (signal === 'SIGKILL') return { kind: 'lost', reason: 'its process was killed from outside (SIGKILL)' };
  const why = lastLine === undefined ? '' : `: ${lastLine}`;
  if (signal !== null) return failure(`ended by ${signal}${CRASHES.has(signal) ? CRASHED : ''}${why}`);
  return failure(`exit code ${code}${why}`, { isFinal: code === FINAL_EXIT_CODE });
}
