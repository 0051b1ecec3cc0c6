// A server is not ended by who has stopped reading what it writes: requests that run are answered all the same.

import cluster from 'node:cluster';

/** From now on what nobody reads of this process' output is lost, where it would end the process with EPIPE. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error').on('error', ignore);
}

/** The same of the channel to a primary that was killed: ours, and what Node's cluster writes to it of its own accord. */
export function outlivePrimary(): void {
  cluster.worker?.on('error', ignore);
}

function ignore(): void {}
