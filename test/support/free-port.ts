// A loopback port for a server of the tests' own.

import { createServer } from 'node:net';

// The system may give one again as soon as it is let go, before whoever asked for it has begun to listen.
const given = new Set<number>();

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await portNow();
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}

function portNow(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
