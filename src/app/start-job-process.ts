// The process of one job of a training set: the same program in another role, as workers are, with the server's configuration.

import { fork } from 'node:child_process';
import type { FromJob, JobStart, StartJobProcess } from '../offline/index.ts';
import { roleFile } from './role-file.ts';

/** What the process is told: its one argument, as JSON. */
export interface JobMainStart {
  readonly config: string;
  readonly job: JobStart;
}

export function createJobStarter(config: string): StartJobProcess {
  return (job, heard) => {
    const start: JobMainStart = { config, job };
    // What it prints is the server's log; a signal to the server's group is for the server to pass on.
    const child = fork(roleFile('job-main'), [JSON.stringify(start)], {
      stdio: ['ignore', 2, 2, 'ipc'],
      detached: true,
    });
    const { promise: ended, resolve } = Promise.withResolvers<{ code: number | null; signal: string | null }>();
    child.on('message', (message: FromJob) => heard(message));
    child.once('error', () => {
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
    // Not `exit`: a message may still be on its way.
    child.once('close', (code, signal) => resolve({ code, signal }));
    return { ended, kill: () => void child.kill('SIGKILL') };
  };
}
