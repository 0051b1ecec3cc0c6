// Connections that were on their way to a worker when it died. Node's cluster forgets them: nobody answers them, nor closes them, and
// their clients wait in vain. It even goes on taking the worker for connected. A worker that hangs always has such a connection.

import type { Worker } from 'node:cluster';

/** What Node's cluster sends to a worker with a connection; the worker says by `ack` whether it has taken it. */
interface HandOver {
  readonly act: 'newconn';
  readonly seq: number;
}

interface Connection {
  close(): void;
}

/**
 * When the worker has gone, gives others the connections that it never took, or closes them where `isAnyLeft` says that nobody is
 * there. It never read from them: whoever takes one finds all that its client has sent.
 */
export function rescueConnections(worker: Worker, isAnyLeft: () => boolean): void {
  const { process: child } = worker;
  const handed = new Map<number, Connection>();
  const send = child.send.bind(child) as (...args: readonly unknown[]) => boolean;
  Object.assign(child, {
    send(...args: readonly unknown[]): boolean {
      const [message, handle] = args;
      // Node's cluster gives no other handle with such a message.
      if (isHandOver(message) && handle !== undefined) handed.set(message.seq, handle as Connection);
      return send(...args);
    },
  });
  child.on('internalMessage', ({ ack }: { readonly ack?: number }) => {
    if (ack !== undefined) handed.delete(ack);
  });
  let isDisconnected = false;
  // All that the worker ever sent was read by then. Node says that it is disconnected a moment later, or never.
  child.once('close', () =>
    setImmediate(() => {
      if (!isDisconnected) child.emit('disconnect');
    }),
  );
  // Node has taken the worker out of its rounds.
  worker.once('disconnect', () => {
    isDisconnected = true;
    for (const [ack, connection] of handed) {
      if (!isAnyLeft()) connection.close();
      // As a worker that stops says it: Node gives the connection to the next one.
      else child.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack, accepted: false });
    }
    handed.clear();
  });
}

function isHandOver(message: unknown): message is HandOver {
  return typeof message === 'object' && message !== null && 'act' in message && message.act === 'newconn';
}
