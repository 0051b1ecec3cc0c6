// A materialize that a server is asked for, in a process of its own: the same program in another role, with the server's
// configuration. It reads sources whole and folds them, and requests must not wait behind it.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type ErrorCode, type ErrorDetail, HeadraceError } from '../core/index.ts';
import type { AskedMaterialize, Materialize } from '../serving/index.ts';
import type { App } from './open-app.ts';
import { roleFile } from './role-file.ts';

/** What the process is told: its one argument, as JSON. */
export interface FillStart {
  readonly config: string;
  readonly request: AskedMaterialize;
}

/** What it tells, once. */
export type FromFill =
  | { readonly kind: 'filled' }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: readonly ErrorDetail[];
    };

export interface FillProcesses {
  /** Throws as `fillOnline` and with a view that failed; HR_CONFLICT while one is under way here, HR_JOB_LOST where its process was killed. */
  readonly materialize: Materialize;
  /** Ends the one that runs: who waits for it gets HR_STOPPING. What it had not finished the next one does. */
  close(): Promise<void>;
}

export function createFillProcesses({ config, environment }: Pick<App, 'config' | 'environment'>): FillProcesses {
  const closing = new AbortController();
  let running: Promise<void> | undefined;

  const fill = async (request: AskedMaterialize): Promise<void> => {
    const start: FillStart = { config: config.file, request };
    // What it logs is the server's log; a signal to the server's group is for the server to pass on.
    const child = fork(roleFile('fill-main'), [JSON.stringify(start)], {
      stdio: ['ignore', 2, 2, 'ipc'],
      detached: true,
      env: { ...process.env, ...environment.variables },
    });
    let told: FromFill | undefined;
    child.on('message', (message: FromFill) => (told = message));
    const kill = (): void => void child.kill('SIGKILL');
    closing.signal.addEventListener('abort', kill);
    try {
      const [code, killedBy] = (await once(child, 'close')) as [number | null, string | null];
      if (told?.kind === 'filled') return;
      if (told?.kind === 'failed') throw new HeadraceError(told.code, told.message, { details: told.details });
      if (closing.signal.aborted) throw stopping();
      // Whoever kills it is the system, mostly, for want of memory.
      throw new HeadraceError(
        'HR_JOB_LOST',
        `the process of the materialize ended with ${killedBy ?? `code ${code}`} before it was done. Ask again, or run \`headrace materialize\` where nothing is served.`,
      );
    } finally {
      closing.signal.removeEventListener('abort', kill);
    }
  };

  return {
    async materialize(request) {
      if (closing.signal.aborted) throw stopping();
      if (running !== undefined)
        throw new HeadraceError('HR_CONFLICT', 'a materialize is under way here already. Ask again once it is done.');
      const filling = fill(request);
      running = filling.catch(() => {});
      try {
        await filling;
      } finally {
        running = undefined;
      }
    },
    async close() {
      closing.abort();
      await running;
    },
  };
}

const stopping = (): HeadraceError =>
  new HeadraceError('HR_STOPPING', 'the server stops, and the materialize is not finished.');
