// The end of a process that has a model running which does not come back. Node waits for its threads, and one that is ended
// inside the native library takes the process with it: the shell would see an abort, after who knows how long.

import { isMainThread } from 'node:worker_threads';

/**
 * Lets this process end with its own exit code whatever still runs: if `isHeld` says so at the exit, the system replaces it by
 * one that only gives the code. Where there is no such call (Windows), it ends as Node does it.
 */
export function endDespite(isHeld: () => boolean): void {
  if (!isMainThread) return;
  process.once('exit', (code) => {
    const { execPath, execve } = process;
    if (execve !== undefined && process.platform !== 'win32' && isHeld())
      execve(execPath, [execPath, '-e', `process.exit(${code})`], {});
  });
}
