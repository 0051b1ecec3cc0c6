// A materialize that a server is asked for, in a process of its own: it reads sources whole and folds them.

import { HeadraceError } from '../core/index.ts';
import type { AskedMaterialize, Materialize } from '../serving/index.ts';
import { askProcess, type FailedWork } from './ask-process.ts';
import type { App } from './open-app.ts';

/** What the process is told: its one argument, as JSON. */
export interface FillStart {
  readonly config: string;
  readonly request: AskedMaterialize;
}

/** What it tells, once. */
export type FromFill = { readonly kind: 'filled' } | FailedWork;

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
    const told = await askProcess<FromFill>({ environment }, 'fill-main', start, closing.signal);
    if (told.kind === 'filled') return;
    if (closing.signal.aborted) throw stopping();
    // Whoever kills it is the system, mostly, for want of memory.
    throw new HeadraceError(
      'HR_JOB_LOST',
      `the process of the materialize ended with ${told.how} before it was done. Ask again, or run \`headrace materialize\` where nothing is served.`,
    );
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
