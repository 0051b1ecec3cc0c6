// One worker as its primary sees it: a process of Node's cluster that is told things and tells things.

import cluster from 'node:cluster';
import type { WorkerEnd } from './own-totals.ts';
import { rescueConnections } from './rescue-connections.ts';
import { roleFile } from './role-file.ts';
import type { FromWorker, WorkerStart } from './worker-messages.ts';

export interface WorkerProcess extends WorkerEnd {
  /** Undefined: it could not be started. */
  readonly pid: number | undefined;
  /** Resolves when it has ended, or could not be started. */
  readonly ended: Promise<void>;
  kill(): void;
}

export interface WorkerEvents {
  received(message: FromWorker): void;
  /** It could not be started, and comes to no end; or, with a pid, something could not be written to it as it has just died. */
  missing(reason: string): void;
  /** Its channel has ended: all that it ever sent was received. */
  left(): void;
  /** Whether any other worker takes connections. */
  hasOthers(): boolean;
  ended(how: { readonly code: number | null; readonly signal: string | null }): void;
}

export function forkWorker(start: WorkerStart, events: WorkerEvents): WorkerProcess {
  // The settings hold for the workers forked from now on.
  cluster.setupPrimary({ exec: roleFile('worker-main'), args: [JSON.stringify(start)] });
  const worker = cluster.fork();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  worker.on('message', (message: FromWorker) => events.received(message));
  worker.on('error', (error) => {
    events.missing(error.message);
    if (worker.process.pid === undefined) end();
  });
  rescueConnections(worker, () => events.hasOthers());
  worker.on('disconnect', () => events.left());
  worker.on('exit', (code, signal) => {
    events.ended({ code, signal });
    end();
  });
  return {
    id: worker.id,
    pid: worker.process.pid,
    send(message) {
      if (worker.isConnected()) worker.send(message);
    },
    ended,
    kill: () => void worker.process.kill('SIGKILL'),
  };
}
