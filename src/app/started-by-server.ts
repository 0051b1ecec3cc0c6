// How a process that `headrace serve` starts beside itself begins: the same program in another role.

import { HeadraceError } from '../core/index.ts';
import { outliveReaders } from './outlive-readers.ts';

/** What its server wrote as its one argument. Throws HR_USAGE where nobody did; `what`: whose process it is, "a monitor". */
export function startedByServer<Start>(what: string): Start {
  outliveReaders();
  const [argument] = process.argv.slice(2);
  if (argument === undefined || process.send === undefined)
    throw new HeadraceError('HR_USAGE', `the process of ${what} is started by \`headrace serve\`, not by hand.`);
  // Of the same build.
  return JSON.parse(argument) as Start;
}

/**
 * Ends this process as soon as its server has ended, however that was; `leave` comes first. Not by an exit: that waits for
 * threads of DuckDB's, which may be at a query for hours that nobody asks for any more.
 */
export function endWithServer(leave: () => Promise<void> = () => Promise.resolve()): void {
  const end = (): void => void leave().finally(() => process.kill(process.pid, 'SIGKILL'));
  if (process.connected) process.once('disconnect', end);
  else end();
}

/** Tells the server what it was asked for; resolves once that is sent, or the server is gone. */
export function tellServer(message: object): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}
