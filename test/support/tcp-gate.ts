// A way through to a server's port that tests can close: it holds back what the server says, refuses whoever comes, or
// ends the connections that there are.

import { connect, createServer, type Server, type Socket } from 'node:net';

export type Gate = Awaited<ReturnType<typeof openGate>>;

/** `target` is asked at each connection for the server's port, or the path of its socket. */
export async function openGate(target: () => number | string) {
  const pairs = new Set<readonly [Socket, Socket]>();
  let isHeld = false;
  let isRefused = false;
  const server: Server = createServer((client) => {
    client.on('error', () => {});
    if (isRefused) {
      client.destroy();
      return;
    }
    const to = target();
    const inner = typeof to === 'string' ? connect(to) : connect(to, '127.0.0.1');
    const pair = [client, inner] as const;
    pairs.add(pair);
    client.setNoDelay();
    inner.setNoDelay();
    client.pipe(inner);
    if (!isHeld) inner.pipe(client);
    const close = (): void => {
      client.destroy();
      inner.destroy();
      pairs.delete(pair);
    };
    inner.on('error', () => {});
    inner.once('close', close);
    client.once('close', close);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  /** Ends the connections that there are. */
  const cut = (): void => {
    for (const [client] of pairs) client.destroy();
  };
  return {
    port: address.port,
    /** From now on nothing of what the server says gets through; it stays connected. */
    holdBack(): void {
      isHeld = true;
      for (const [client, inner] of pairs) inner.unpipe(client).pause();
    },
    /** Ends all connections, and every new one at once. */
    refuse(): void {
      isRefused = true;
      cut();
    },
    /** Lets whoever comes through again, both ways; connections that were held back stay so. */
    admit(): void {
      isHeld = false;
      isRefused = false;
    },
    cut,
    end(): void {
      cut();
      server.close();
    },
  };
}
